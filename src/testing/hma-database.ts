// A stand-in for HMA's database: its tables as its Alembic migrations make them, in a real Postgres.
import { randomBytes } from 'node:crypto'
import { connect } from '../db/client.ts'
import type { Database } from '../db/client.ts'
import type { SocketAddress } from '../db/address.ts'
import { silentLog } from './database.ts'
import type { TestDatabase } from './database.ts'

export const hmaVersion = 'b2c3d4e5f6a7'

/** Almost no column has a default: what HMA leaves out, its own client fills in. */
export const hmaSchema = `
  create table exchange (
    id serial primary key, name varchar(255) not null, api_cls varchar(255) not null,
    retain_api_data boolean not null, fetching_enabled boolean not null,
    retain_data_with_unknown_signal_types boolean not null, typed_config json not null
  );
  create unique index ix_exchange_name on exchange (name);
  create table exchange_fetch_status (
    collab_id integer primary key references exchange on delete cascade, running_fetch_start_ts bigint,
    last_fetch_succeeded boolean, last_fetch_complete_ts bigint, is_up_to_date boolean not null,
    checkpoint_ts bigint, checkpoint_json json
  );
  create table exchange_data (
    id serial primary key, collab_id integer not null references exchange on delete cascade, fetch_id text not null,
    pickled_fetch_signal_metadata bytea, fetched_metadata_summary json not null,
    matched boolean not null, verification_result boolean, unique (collab_id, fetch_id)
  );
  create table bank (
    id serial primary key, name varchar(255) not null, enabled_ratio double precision not null,
    import_from_exchange_id integer unique references exchange on delete cascade
  );
  create unique index ix_bank_name on bank (name);
  create table bank_content (
    id serial primary key, bank_id integer not null references bank on delete cascade,
    imported_from_id integer unique references exchange_data on delete cascade, disable_until_ts integer not null,
    original_content_uri varchar, note varchar(255), bank_content_metadata json
  );
  create index ix_bank_content_bank_id on bank_content (bank_id);
  create table content_signal (
    content_id integer not null references bank_content on delete cascade, signal_type varchar not null,
    signal_val text not null, create_time timestamptz not null default now(), primary key (content_id, signal_type)
  );
  create index incremental_index_build_idx on content_signal (signal_type, create_time, content_id);
  create table signal_index (
    id serial primary key, signal_type varchar(255) not null unique, signal_count integer not null,
    updated_to_id integer not null, updated_to_ts bigint not null, updated_at timestamptz not null default now(),
    serialized_index_large_object_oid oid
  );
  create table signal_type_override (
    id serial primary key, name varchar(255) not null unique, enabled_ratio double precision not null
  );
  create table exchange_api_config (
    id serial primary key, api varchar not null unique, default_credentials_json json not null
  );
  create table alembic_version (version_num varchar(32) primary key);
  insert into alembic_version values ('${hmaVersion}');
`

export type HmaInTest = {
  /** May do everything. */
  db: Database
  url: string
  /** As another role, made if it is not there. */
  urlAs(role: string): string
}

/** An empty HMA beside the test's database, gone with the test. */
export async function hmaInTest(
  database: TestDatabase,
  context: { after(clean: () => Promise<void>): void },
  options: { schema?: string } = {},
): Promise<HmaInTest> {
  const admin = connect(
    { ...database.superuserAddress, database: 'postgres' },
    {
      max: 1,
      applicationName: 'test admin',
      log: silentLog,
    },
  )
  const name = `hma_${process.pid}_${randomBytes(4).toString('hex')}`
  await admin`create database ${admin(name)}`
  const address = { ...database.superuserAddress, database: name }
  const db = connect(address, { max: 2, applicationName: 'hma', log: silentLog })
  await db.unsafe(`set search_path = public; ${options.schema ?? hmaSchema}`).simple()
  // The client's own search_path is ours.
  await admin.unsafe(`alter database "${name}" set search_path = public`)
  await db.end({ timeout: 1 })
  const hma = connect(address, { max: 1, applicationName: 'hma', log: silentLog })
  await hma`set search_path = public`
  context.after(async () => {
    await hma.end({ timeout: 1 })
    await admin`drop database if exists ${admin(name)} with (force)`
    await admin.end({ timeout: 1 })
  })
  return { db: hma, url: urlOf(address), urlAs: (role) => urlOf({ ...address, username: role }) }
}

function urlOf({ host, database, username, port }: SocketAddress): string {
  return `postgresql+psycopg2://${username}@localhost:${port}/${database}?host=${encodeURIComponent(host)}`
}
