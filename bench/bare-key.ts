/** The one record that the bare route reads. */
export const bareKey = 'bench:bare';
