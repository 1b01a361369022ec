-- For auditors and for people who object: appeals, and what the EU's transparency database is told about a bank.

-- A report asks for what ended in a period.
create index action_ended on action (ended_at) where ended_at is not null;
create index case_decided on case_file (decided_at) where decided_at is not null;

-- Somebody objected to what a case did (DSA art. 20). Who they are stays with the operator.
create table appeal (
  id integer generated always as identity primary key,
  case_file integer not null references case_file,
  received_at timestamptz not null,
  at timestamptz not null,
  principal integer not null references principal,
  outcome text check (outcome in ('upheld', 'rejected')),
  resolved_at timestamptz,
  resolved_by integer references principal,
  check ((outcome is null) = (resolved_at is null))
);
create index appeal_case on appeal (case_file);

-- Absent: the defaults of the bank's class.
create table bank_dsa (
  bank integer primary key references bank,
  rule jsonb not null,
  principal integer not null references principal,
  at timestamptz not null
);

-- p: case, received, note, principal, now. Each call is an appeal of its own: several people may object to one case.
create function receive_appeal_v1(p jsonb) returns table (appeal integer, state text)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_received timestamptz := coalesce((p->>'received')::timestamptz, v_now);
  v_case case_file;
begin
  select * into v_case from case_file where id = (p->>'case')::integer for no key update;
  if not found then
    raise exception 'there is no case %', p->>'case' using errcode = 'BU001';
  end if;
  if v_received > v_now then
    raise exception 'an appeal cannot have been received in the future' using errcode = 'BU001';
  end if;
  insert into appeal as a (case_file, received_at, at, principal)
  values (v_case.id, v_received, v_now, (p->>'principal')::integer)
  returning a.id into appeal;
  insert into case_event (case_file, at, principal, event, note)
  values (v_case.id, v_now, (p->>'principal')::integer, 'appeal', p->>'note');
  perform note_v1('case.appeal', actor((p->>'principal')::integer),
    jsonb_build_object('case', v_case.id, 'appeal', appeal, 'event', 'received', 'received', v_received,
      'state', v_case.state),
    jsonb_strip_nulls(jsonb_build_object('note', p->>'note')), null, null, null, 'appeal:' || appeal || ':received', v_now);
  state := v_case.state;
  return next;
end $$;

-- p: case, appeal (may be absent where one is open), outcome (upheld | rejected), note, principal, now.
create function resolve_appeal_v1(p jsonb) returns table (appeal integer, state text, received timestamptz)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_case case_file;
  v_open integer[];
  v_appeal appeal;
begin
  select * into v_case from case_file where id = (p->>'case')::integer for no key update;
  if not found then
    raise exception 'there is no case %', p->>'case' using errcode = 'BU001';
  end if;
  select coalesce(array_agg(a.id order by a.id), '{}') into v_open
  from appeal a where a.case_file = v_case.id and a.outcome is null;
  if cardinality(v_open) = 0 then
    raise exception 'no appeal against case % is open', v_case.id using errcode = 'BU001';
  end if;
  if p->>'appeal' is null and cardinality(v_open) > 1 then
    raise exception 'appeals % against case % are open: say which with --appeal', array_to_string(v_open, ', '), v_case.id
      using errcode = 'BU001';
  end if;
  update appeal a set outcome = p->>'outcome', resolved_at = v_now, resolved_by = (p->>'principal')::integer
  where a.id = coalesce((p->>'appeal')::integer, v_open[1]) and a.case_file = v_case.id and a.outcome is null
  returning * into v_appeal;
  if not found then
    raise exception 'appeal % against case % is not open', p->>'appeal', v_case.id using errcode = 'BU001';
  end if;
  insert into case_event (case_file, at, principal, event, note)
  values (v_case.id, v_now, (p->>'principal')::integer, 'appeal ' || v_appeal.outcome, p->>'note');
  perform note_v1('case.appeal', actor((p->>'principal')::integer),
    jsonb_build_object('case', v_case.id, 'appeal', v_appeal.id, 'event', v_appeal.outcome,
      'received', v_appeal.received_at, 'state', v_case.state),
    jsonb_strip_nulls(jsonb_build_object('note', p->>'note')), null, null, null,
    'appeal:' || v_appeal.id || ':resolved', v_now);
  appeal := v_appeal.id;
  state := v_case.state;
  received := v_appeal.received_at;
  return next;
end $$;

-- p: bank (name), rule (null: the defaults again), principal, now. Free texts of the rule are kept sealed in the ledger.
create function set_bank_dsa_v1(p jsonb) returns table (bank integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_bank bank;
  v_rule jsonb := nullif(p->'rule', 'null');
begin
  select * into v_bank from bank b where b.name = p->>'bank' for no key update;
  if not found then
    raise exception 'bank ''%'' not found', p->>'bank' using errcode = 'BU001';
  end if;
  if v_rule is null then
    delete from bank_dsa d where d.bank = v_bank.id;
  else
    insert into bank_dsa as d (bank, rule, principal, at)
    values (v_bank.id, v_rule, (p->>'principal')::integer, (p->>'now')::timestamptz)
    on conflict on constraint bank_dsa_pkey do update set
      rule = excluded.rule, principal = excluded.principal, at = excluded.at;
  end if;
  perform note_v1('bank.dsa', actor((p->>'principal')::integer),
    jsonb_strip_nulls(jsonb_build_object('bank', 'b' || v_bank.id, 'defaults', v_rule is null,
      -- What a restricted bank is about is not for the ledger to tell.
      'ground', case when v_bank.class = 'open' then v_rule->>'ground' end,
      'category', case when v_bank.class = 'open' then v_rule->>'category' end)),
    jsonb_build_object('name', v_bank.name, 'rule', coalesce(v_rule, '{}')::text), null, null, null,
    'bank.dsa:' || gen_random_uuid(), (p->>'now')::timestamptz);
  bank := v_bank.id;
  return next;
end $$;
