/** What is served, for the log and for a person; and what a primary process and its workers say to each other. All of it is plain data. */

export interface Serving {
  readonly serviceUrl: string;
  readonly policy: string;
  readonly revision: string;
  readonly zones: number;
  readonly store: 'redis' | 'embedded';
}

/** What a worker can be asked about. */
export type Asked = 'status' | 'metrics';

export type ToWorker =
  | { readonly say: 'reload' }
  | { readonly say: 'stop' }
  /** Its port may close: until then it takes in whoever comes. */
  | { readonly say: 'may_shut' }
  | { readonly say: 'looked' }
  | { readonly say: 'answer_me' }
  | { readonly say: 'tell'; readonly about: Asked; readonly question: number };

export type ToPrimary =
  | { readonly say: 'serving'; readonly serving: Serving }
  | { readonly say: 'cannot_run'; readonly sentence: string }
  /** Is anybody waiting to be handed to it? The answer comes behind them. */
  | { readonly say: 'look' }
  | { readonly say: 'has_shut' }
  | { readonly say: 'here' }
  | { readonly say: 'told'; readonly question: number; readonly answer: unknown };
