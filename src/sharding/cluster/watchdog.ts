import { spawn, type ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { listProcesses, signalProcess } from './process-table.js';

/** First argument of every watchdog, by which one is found in the process table. */
const TITLE = 'shardgate-watchdog';
const END_POLL_MS = 20;

/**
 * What the watchdog runs. It waits on a pipe of which the owner holds the other end: however the owner ends,
 * the pipe closes. Then the configuration goes (nobody can join any more), the servers are shut down, killed
 * after ten seconds, and a disposable cluster's directories are removed.
 * Arguments: nodes directory, configuration file, signal, directories to remove.
 */
const SCRIPT = `
nodes=$1 config=$2 signal=$3
shift 3
cat >/dev/null
rm -f "$config"
quiet=0 round=0
while [ "$quiet" -lt 3 ] && [ "$round" -lt 300 ]; do
  quiet=$((quiet + 1)) round=$((round + 1))
  [ "$round" -gt 100 ] && signal=KILL
  for file in "$nodes"/*/data/postmaster.pid; do
    [ -f "$file" ] || continue
    read -r pid <"$file" || continue
    if [ -d /proc/self ]; then
      args=$(tr '\\000' ' ' <"/proc/$pid/cmdline") || continue
    else
      args=$(ps -ww -o args= -p "$pid") || continue
    fi
    case $args in *"\${file%/postmaster.pid}"*) ;; *) continue ;; esac
    kill "-$signal" "$pid" && kill -CONT "$pid" && quiet=0
  done
  sleep 0.1
done
[ "$#" -gt 0 ] && rm -rf "$@"
exit 0
`;

/** What a watchdog needs to know. */
export interface WatchdogDuties {
  /** Real path of the directory that holds all nodes. */
  readonly nodesDir: string;
  readonly configPath: string;
  /** Directories to remove once the servers are gone; empty for a cluster that keeps its data. */
  readonly remove: readonly string[];
}

/** A small process that outlives a crashed owner just long enough to shut its servers down. */
export class Watchdog {
  readonly #duties: WatchdogDuties;
  #child: ChildProcess | undefined;
  #wanted = true;

  private constructor(duties: WatchdogDuties) {
    this.#duties = duties;
  }

  static start(duties: WatchdogDuties): Watchdog {
    const watchdog = new Watchdog(duties);
    watchdog.#spawn();
    return watchdog;
  }

  /** Ends the watchdog; from now on nobody cleans up after this process. */
  dismiss(): void {
    this.#wanted = false;
    this.#child?.kill('SIGKILL');
  }

  #spawn(): void {
    const { nodesDir, configPath, remove } = this.#duties;
    const signal = remove.length > 0 ? 'QUIT' : 'INT';
    const child = spawn('/bin/sh', ['-c', SCRIPT, TITLE, nodesDir, configPath, signal, ...remove], {
      cwd: '/',
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    // Neither the process nor the pipe to it may keep the owner's event loop alive.
    child.unref();
    if (child.stdin instanceof Socket) child.stdin.unref();
    child.stdin.on('error', () => undefined);
    child.once('error', () => undefined);
    child.once('exit', () => {
      if (this.#wanted) this.#spawn();
    });
    this.#child = child;
  }
}

/** Ends watchdogs of an earlier owner: what they would do to its servers, they would do to ours. */
export async function endWatchdogsOf(nodesDir: string): Promise<void> {
  for (;;) {
    const watchdogs = (await listProcesses()).filter(({ commandLine }) => {
      return (
        basename(commandLine.split(' ')[0] ?? '') === 'sh' && commandLine.includes(` ${TITLE} ${nodesDir} `)
      );
    });
    if (watchdogs.length === 0) return;
    for (const { pid } of watchdogs) signalProcess(pid, 'SIGKILL');
    await sleep(END_POLL_MS);
  }
}
