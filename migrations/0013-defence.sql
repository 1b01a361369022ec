-- Banks that defend themselves: what kept a match from counting, admission, imports, approvals, floods, feedback, reversals.

-- Why a match does not count: the bank looks at a share of blobs only, or a bank of harmless pictures matches too.
alter table match add column set_aside text check (set_aside in ('ratio', 'negative'));
alter table match add column set_aside_by integer;

-- A picture looked at in other ways where that makes a difference (on white, without its border): few have any.
-- Turned and mirrored forms are not stored; they follow from these.
create table blob_variant (
  blob_cid bytea not null,
  variant text not null check (variant in ('flat', 'trim', 'flat+trim')),
  quality smallint not null,
  pdq bytea not null,
  primary key (blob_cid, variant)
);

-- The test that a content or an import passed, or did not pass, before it went live.
create table admission (
  id integer generated always as identity primary key,
  bank integer not null references bank,
  kind text not null check (kind in ('content', 'import')),
  at timestamptz not null,
  principal integer not null references principal,
  verdict text not null check (verdict in ('passed', 'waits', 'refused')),
  -- Signals tested, refused by reason, benign pictures hit; what of the seen blobs would match: banks/admission.ts.
  result jsonb not null
);

-- What needs a second person, or 24 hours where there is only one.
create table proposal (
  id integer generated always as identity primary key,
  kind text not null check (kind in ('content.add', 'import')),
  bank integer not null references bank,
  payload jsonb not null,
  reason text not null,
  principal integer not null references principal,
  at timestamptz not null,
  -- Set where no second person was registered: from then on the same person may approve.
  alone_until timestamptz,
  state text not null default 'open' check (state in ('open', 'approved', 'rejected')),
  decided_by integer references principal,
  decided_at timestamptz
);

-- One run of a list into a bank. position moves in the statement that brought the lines in: what is killed goes on there.
create table bank_import (
  id integer generated always as identity primary key,
  bank integer not null references bank,
  -- The list's name: what one source brought in before is compared with what it brings now.
  source text not null,
  digest bytea not null,
  state text not null check (state in ('staging', 'staged', 'waiting', 'applying', 'done', 'refused')),
  staged integer not null default 0,
  position integer not null default 0,
  adds integer not null default 0,
  deletes integer not null default 0,
  unchanged integer not null default 0,
  refused integer not null default 0,
  replaces boolean not null default false,
  admission integer references admission,
  proposal integer references proposal,
  principal integer not null references principal,
  started_at timestamptz not null,
  ended_at timestamptz
);
create unique index bank_import_open on bank_import (bank, source) where state not in ('done', 'refused');

create table bank_import_line (
  import integer not null references bank_import,
  line integer not null,
  key text not null,
  -- 'add', 'same' (already in the bank) or 'delete' (in the bank, not in the list); null until compared.
  op text check (op in ('add', 'same', 'delete')),
  content integer,
  signals jsonb,
  note text,
  metadata jsonb,
  disable_until_ts bigint not null default 1,
  refused text,
  primary key (import, line)
);
create index bank_import_line_key on bank_import_line (import, key);

alter table bank_content
  add column admission integer references admission,
  -- Of an import: the list, and the list's own name for the item.
  add column source text,
  add column source_key text,
  -- A person looked at what it matched.
  add column reviewed text check (reviewed in ('confirmed', 'deconfirmed')),
  add column reviewed_at timestamptz,
  add column moved_to integer;
create unique index bank_content_source on bank_content (bank, source, source_key)
  where source_key is not null and removed_at is null;
create index bank_content_not_enabled on bank_content (id) where disable_until_ts <> 1 and removed_at is null;
-- The index of a process catches up by these.
create index bank_signal_added on bank_signal (added_generation);
create index bank_signal_removed on bank_signal (removed_generation) where removed_generation is not null;

-- How much a content matched in each full hour: what is usual for it.
create table content_hour (
  content integer not null,
  hour timestamptz not null,
  blobs integer not null,
  accounts integer not null,
  primary key (content, hour)
);
create index decision_at_time on decision (at);

-- What people found when they looked; an exchange may be told.
create table feedback (
  id integer generated always as identity primary key,
  at timestamptz not null,
  principal integer not null references principal,
  verdict text not null check (verdict in ('harmful', 'not-harmful')),
  blob_cid bytea,
  -- Absent: harmful, and in no bank.
  bank integer,
  content integer,
  case_file integer,
  note text,
  exported_at timestamptz
);
create index feedback_content on feedback (content);

-- One command that takes back what something caused, and what came of each action.
create table reversal (
  id integer generated always as identity primary key,
  at timestamptz not null,
  principal integer not null references principal,
  scope jsonb not null,
  reason text,
  -- The last action looked at: a killed run goes on after it.
  through bigint not null default 0,
  ended_at timestamptz
);
create table reversal_action (
  reversal integer not null references reversal,
  action bigint not null,
  outcome text not null check (outcome in ('stopped', 'reversing', 'other-cause', 'not-ours', 'nothing-to-undo')),
  undo bigint,
  primary key (reversal, action)
);

-- Questions about restricted banks, for the limit on how many may be asked.
create table explained (
  principal integer not null references principal,
  at timestamptz not null
);
create index explained_principal on explained (principal, at);
