import { escapeAttempts, type EscapeTargets } from './escape-attempts.js';

/** Uniform numbers from a seed: the same seed gives the same statements (mulberry32). */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Hostile statements composed at random of what is known to be worth a try. */
export class SqlFuzz {
  readonly #random: () => number;
  readonly #targets: EscapeTargets;
  readonly #attempts: readonly (readonly string[])[];
  #named = 0;

  constructor(seed: number, targets: EscapeTargets) {
    this.#random = seededRandom(seed);
    this.#targets = targets;
    this.#attempts = escapeAttempts(targets).map(({ sql }) => sql);
  }

  /** The next statements, to be run one after the other. */
  next(): readonly string[] {
    return this.#pick<() => readonly string[]>([
      () => this.#pick(this.#attempts),
      () => [this.#setter()],
      () => [this.#setter(), this.#wrapped(this.#reader(2))].flat(),
      () => this.#wrapped(this.#reader(3)),
      () => this.#wrapped(this.#reader(2)),
      () => this.#wrapped(this.#writer()),
    ])();
  }

  #role(): string {
    const { own, victim, gateway, admin } = this.#targets;
    return this.#pick([
      own,
      victim,
      gateway,
      admin,
      'shardgate_tenants',
      'none',
      'public',
      'pg_read_all_data',
    ]);
  }

  #setting(): string {
    return this.#pick([
      `'shardgate.tenant_id', '${this.#targets.victimTenant}'`,
      `'shardgate.actor', 'somebody'`,
      `'role', '${this.#role()}'`,
      `'session_authorization', '${this.#role()}'`,
      `'search_path', 'pg_temp, notes, finance, shardgate, pg_catalog'`,
      `'row_security', 'off'`,
      `'default_transaction_read_only', 'on'`,
      `'transaction_isolation', 'serializable'`,
      `'session_replication_role', 'replica'`,
      `'plpgsql.variable_conflict', 'use_column'`,
      `'my.setting', 'x'`,
      `'timezone', 'Asia/Tokyo'`,
      `'enable_indexscan', 'off'`,
      `'plan_cache_mode', 'force_generic_plan'`,
    ]);
  }

  #setter(): string {
    const [name = '', value = ''] = this.#setting().split(', ');
    const key = name.replaceAll("'", '');
    return this.#pick([
      `select set_config(${this.#setting()}, ${this.#pick(['true', 'false'])})`,
      `set ${this.#pick(['session', 'local'])} ${key} = ${value}`,
      `set role ${this.#role()}`,
      `set session authorization ${this.#role()}`,
      'reset all',
      'reset role',
      'discard temp',
      `alter role ${this.#role()} set ${key} = ${value}`,
      `do $$ begin perform set_config(${this.#setting()}, false); exception when others then null; end $$`,
      `grant ${this.#role()} to ${this.#role()}`,
      `drop owned by ${this.#role()}`,
      `listen channel_${this.#name()}`,
      `select pg_advisory_lock(${this.#number(100)})`,
      `create temp table t_${this.#name()} as ${this.#reader(1)}`,
      `savepoint s_${this.#name()}`,
    ]);
  }

  #source(): string {
    return this.#pick([
      'notes.notes',
      'notes.notes tablesample bernoulli (100)',
      'only notes.notes',
      'finance.accounts',
      'finance.transactions',
      '(table notes.notes)',
      'pg_stats',
      'pg_prepared_xacts',
      'pg_stat_activity',
      'shardgate.tenant_roles',
      'shardgate.lookup_entries',
      'pg_stat_user_tables',
    ]);
  }

  #condition(): string {
    const { victimTenant, victimNoteId } = this.#targets;
    return this.#pick([
      'true',
      `x::text like '%${victimTenant}%'`,
      `x::text like '%CANARY%'`,
      `exists (select from notes.notes where tenant_id = '${victimTenant}')`,
      `set_config(${this.#setting()}, true) is not null`,
      `1 / (1 - (x::text like '%CANARY%')::int) = 1`,
      `(select count(*) from notes.notes where id = '${victimNoteId}') > 0`,
      `x::text ~ '^(.*)CANARY' or random() < 2`,
    ]);
  }

  #reader(depth: number): string {
    const inner = depth > 0 ? `(${this.#reader(depth - 1)})` : this.#source();
    return this.#pick([
      `select x::text from ${this.#source()} x where ${this.#condition()}`,
      `select x::text from ${inner} x where ${this.#condition()}`,
      `with s as materialized (select set_config(${this.#setting()}, ${this.#pick(['true', 'false'])}) as v)
       select y.* from s, lateral (select x::text from ${inner} x where s.v is not null and ${this.#condition()}) y`,
      `select string_agg(x::text, ',') from ${inner} x`,
      `select jsonb_agg(to_jsonb(x))::text from ${inner} x`,
      `select max(x::text) over (), min(x::text) over () from ${inner} x where ${this.#condition()}`,
      `select x::text from ${inner} x union all select x::text from ${this.#source()} x`,
      `select query_to_xml(${this.#quoted(`select x::text from ${this.#source()} x where ${this.#condition()}`)}, true, false, '')::text`,
      `with recursive r as (select 1 as n union all select n + 1 from r where n < 3) select r.n, x::text from r, ${inner} x`,
    ]);
  }

  #writer(): string {
    const { victimTenant, victimNoteId } = this.#targets;
    const tenant = this.#pick([`'${victimTenant}'`, 'tenant_id', `(select max(tenant_id) from notes.notes)`]);
    const row = `${tenant.replace(/^tenant_id$/, `'${victimTenant}'`)}, ${this.#pick([`'${victimNoteId}'`, 'gen_random_uuid()'])}, 'u', 7, 'x'`;
    return this.#pick([
      `update notes.notes x set body = 'x', tenant_id = ${tenant} where ${this.#condition()} returning x::text`,
      `update finance.accounts x set version = version + 1, tenant_id = ${tenant} where ${this.#condition()} returning x::text`,
      `delete from notes.notes x where ${this.#condition()} and tenant_id = '${victimTenant}' returning x::text`,
      `insert into notes.notes (tenant_id, id, user_id, bucket, body) values (${row})
       on conflict ${this.#pick(['do nothing', '(bucket, id) do update set body = excluded.body', '(tenant_id, id) do update set tenant_id = excluded.tenant_id'])}`,
      `with x as (update notes.notes set body = body where tenant_id = '${victimTenant}' returning *) select x::text from x`,
      `merge into notes.notes n using (select * from notes.notes) x on n.id = '${victimNoteId}' and x.id = n.id when matched then delete`,
    ]);
  }

  #wrapped(sql: string): readonly string[] {
    const name = this.#name();
    const definer = this.#pick(['', 'security definer', `security definer set search_path = pg_temp, notes`]);
    return this.#pick<readonly string[]>([
      [sql],
      [sql],
      [`explain (${this.#pick(['analyze', 'verbose', 'costs'])}) ${sql}`],
      [`prepare p_${name} as ${sql}`, `execute p_${name}`],
      [
        `declare c_${name} ${this.#pick(['', 'scroll'])} cursor ${this.#pick(['with hold', 'without hold'])} for ${sql}`,
        `fetch all from c_${name}`,
      ],
      [`create temp view v_${name} as ${sql}`, `select x::text from v_${name} x`],
      [`create temp table t_${name} as ${sql}`, `select x::text from t_${name} x`],
      [`copy (${sql}) to stdout`],
      [
        `create function pg_temp.f_${name}() returns void language plpgsql ${definer} as ${this.#quoted(`begin ${sql.startsWith('select') ? `perform * from (${sql}) q` : sql}; end`)}`,
        `select pg_temp.f_${name}()`,
      ],
      [
        `do ${this.#quoted(`declare r record; begin for r in execute ${this.#quoted(sql)} loop create temp table if not exists loot (v text); insert into loot values (r::text); end loop; end`)}`,
        'select * from loot',
      ],
      [`select query_to_xml(${this.#quoted(sql)}, true, true, '')::text`],
      [
        `create temp table w_${name} (a text)`,
        `create function pg_temp.g_${name}() returns trigger language plpgsql ${definer} as ${this.#quoted(`begin execute ${this.#quoted(sql)}; return new; end`)}`,
        `create trigger g before insert on w_${name} for each row execute function pg_temp.g_${name}()`,
        `insert into w_${name} values ('x')`,
      ],
    ]);
  }

  #quoted(text: string): string {
    const tag = `$q${this.#name()}$`;
    return `${tag}${text}${tag}`;
  }

  #name(): string {
    this.#named += 1;
    return String(this.#named);
  }

  #number(below: number): number {
    return Math.floor(this.#random() * below);
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#number(choices.length)]!;
  }
}
