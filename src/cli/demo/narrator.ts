import { SingleBar } from 'cli-progress';

/** How often progress is told where there is no terminal to draw a bar on. */
const LINES_WITHOUT_TERMINAL = 4;

/** Tells on standard output what the demo does. */
export class Narrator {
  #chapters = 0;

  /** Begins a part of the walk. */
  chapter(title: string): void {
    this.#chapters += 1;
    console.log(`\n${this.#chapters}. ${title}\n`);
  }

  /** One thing that happened. */
  say(line: string): void {
    console.log(`   ${line}`);
  }

  /** Draws the progress of `total` equal steps; call the function after each. */
  progress(label: string, total: number): (done: number) => void {
    if (!process.stdout.isTTY) {
      const every = Math.ceil(total / LINES_WITHOUT_TERMINAL);
      return (done) => {
        if (done % every === 0 || done === total) this.say(`${label}: ${done} of ${total}`);
      };
    }
    const bar = new SingleBar({ format: `   ${label} {bar} {value} of {total}`, hideCursor: true });
    bar.start(total, 0);
    return (done) => {
      bar.update(done);
      if (done === total) bar.stop();
    };
  }
}
