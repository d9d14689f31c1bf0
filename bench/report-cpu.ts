/**
 * Preloaded into every server under test: answers each message of the bench with the CPU time that this process has used. It does
 * nothing between two questions, and does not keep the process alive.
 */
process.on('message', (message) => {
  if (message !== 'cpu') return;
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuMicros: user + system });
});
process.channel?.unref();
