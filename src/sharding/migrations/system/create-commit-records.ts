import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What was decided about transactions over several shards, on the first participant of each: by its coordinator
 * in that participant's own transaction, or by recovery. The primary key lets only one of the two happen.
 */
const COMMIT_RECORDS_SQL = `
  create table shardgate.commit_records (
    gid text primary key,
    decision text not null check (decision in ('commit', 'abort')),
    decided_at timestamptz not null default clock_timestamp()
  );
  revoke all on shardgate.commit_records from public;
`;

/** What recovery of transactions over several shards goes by. */
export class CreateCommitRecords1763800000050 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(COMMIT_RECORDS_SQL);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('drop table shardgate.commit_records');
  }
}
