/** An answer that was not the one expected: however fast, it fails the benchmark. */
export class WrongAnswerError extends Error {
  constructor(what: string) {
    super(`A wrong answer: ${what}.`);
    this.name = 'WrongAnswerError';
  }
}
