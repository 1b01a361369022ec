-- The ledger's Merkle tree beside its chain (RFC 6962), signed checkpoints of it, and what others hold of them.

-- frontier: the roots of the complete subtrees, largest first, 32 bytes each; null for a ledger that began before the tree.
-- vetted: when and on which timeline a leader last knew that this is the ledger it signed. No action leaves without.
alter table ledger_head
  add column frontier bytea,
  add column vetted_at timestamptz,
  add column vetted_on text;

-- The root of tile(level, index) of tlog-tiles, once the tile is full. Level 0 tiles are the hashes of ledger_entry.
create table ledger_node (
  level smallint not null,
  index bigint not null,
  hash bytea not null,
  primary key (level, index)
);

-- note: the signed note as it stands, with every cosignature that came in.
create table ledger_checkpoint (
  origin text not null,
  size bigint not null,
  note text not null,
  at timestamptz not null,
  -- Witnesses of the policy that have cosigned, and since when the policy's quorum is met.
  witnesses integer not null default 0,
  anchored_at timestamptz,
  primary key (origin, size)
);
create index ledger_checkpoint_at on ledger_checkpoint (at);

-- What another party holds: a cosignature is in the note; here are records in a repository and time stamps.
create table ledger_anchor (
  id bigint generated always as identity primary key,
  origin text not null,
  size bigint not null,
  kind text not null check (kind in ('witness', 'record', 'timestamp')),
  -- A witness's name, an at:// URI, the address of a time-stamping authority.
  who text not null,
  -- The record as JSON, the time stamp as DER; empty for a witness.
  body bytea not null,
  at timestamptz not null,
  unique (origin, size, kind, who)
);
create trigger ledger_node_kept before update or delete on ledger_node
  for each row execute function refuse_ledger_change();
create trigger ledger_node_not_emptied before truncate on ledger_node
  for each statement execute function refuse_ledger_change();

-- An older process appends without the tree: the next leader of this version computes it anew.
create function forget_frontier() returns trigger language plpgsql as $$
begin
  if new.size <> old.size and new.frontier is not distinct from old.frontier then
    new.frontier := null;
  end if;
  return new;
end $$;
create trigger ledger_head_frontier before update on ledger_head
  for each row execute function forget_frontier();

-- Which history of which cluster this is: another one after a promotion or a restore. Empty where a host does not tell.
create function ledger_timeline() returns text language plpgsql stable set search_path = blobwatch, pg_temp as $$
begin
  return substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) || ':' || (select system_identifier from pg_control_system());
exception when others then
  return '';
end $$;

-- True while a leader that knows the ledger for the one it signed is at work on this very database. The database's own
-- clock: whoever asks may have another.
create function ledger_is_vetted() returns boolean language sql stable set search_path = blobwatch, pg_temp as $$
  select coalesce((
    select h.vetted_at > clock_timestamp() - interval '15 seconds' and h.vetted_on = ledger_timeline() from ledger_head h
  ), false)
$$;

create function lead_ledger_v2(p jsonb)
  returns table (log text, size bigint, hash text, frontier text, epoch bigint, at timestamptz)
  language sql security definer set search_path = blobwatch, pg_temp as $$
  insert into ledger_head (log, size, hash, frontier, epoch, at)
  values (p->>'log', 0, decode(repeat('00', 32), 'hex'), '', 1, null)
  on conflict (one) do update set epoch = ledger_head.epoch + 1
  returning ledger_head.log, ledger_head.size, encode(ledger_head.hash, 'hex'), encode(ledger_head.frontier, 'hex'),
    ledger_head.epoch, ledger_head.at
$$;

create function require_ledger_head(p jsonb) returns ledger_head
  language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_head ledger_head;
begin
  select * into v_head from ledger_head for update;
  if v_head.size is distinct from (p->>'expectSize')::bigint or v_head.epoch is distinct from (p->>'epoch')::bigint then
    raise exception 'another sequencer leads the ledger: the head is at size % epoch %', v_head.size, v_head.epoch
      using errcode = 'BW001';
  end if;
  return v_head;
end $$;

-- p.nodes: [level, index, hash] of tiles that became full. A tile has one root for ever.
create function put_ledger_nodes(p jsonb) returns void language plpgsql set search_path = blobwatch, pg_temp as $$
begin
  insert into ledger_node (level, index, hash)
  select (n.value->>0)::smallint, (n.value->>1)::bigint, decode(n.value->>2, 'hex') from jsonb_array_elements(p->'nodes') n
  on conflict (level, index) do nothing;
  if exists (
    select from jsonb_array_elements(p->'nodes') n
    join ledger_node k on k.level = (n.value->>0)::smallint and k.index = (n.value->>1)::bigint
    where k.hash <> decode(n.value->>2, 'hex')
  ) then
    raise exception 'a full tile of the ledger has two roots' using errcode = 'BW002';
  end if;
end $$;

-- The tree of entries that were appended without it, a piece at a time; the last piece brings the frontier.
create function put_ledger_tree_v1(p jsonb) returns table (result text)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  perform require_ledger_head(p);
  perform put_ledger_nodes(p);
  if p->>'frontier' is not null then
    update ledger_head h set frontier = decode(p->>'frontier', 'hex');
  end if;
  return query select 'put';
end $$;

-- Appends a batch (it may be empty: time alone may release what waited). The head moves by compare-and-set on size and
-- epoch; every hash and link is computed again here, so a fault in the process cannot enter the chain. The tree is
-- computed again from storage before a checkpoint is signed over it.
-- p: now, expectSize, epoch, limits, frontier, nodes, hash (of the last entry), intake (ids with commas between them).
-- p_texts: the entries, which have no newline, one a line. p_kept: seq, intake, field, account or nothing, sealed in hex,
-- with tabs between them, one a line. As texts: jsonb of thousands of long strings costs more than the append itself.
create function append_v2(p jsonb, p_texts text, p_kept text) returns table (size bigint, released integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_head ledger_head := require_ledger_head(p);
  v_texts text[] := string_to_array(p_texts, E'\n');
  v_count bigint := cardinality(v_texts);
  v_intake bigint[] := string_to_array(p->>'intake', ',')::bigint[];
  v_bytes bytea[];
  v_hashes bytea[];
  v_bad bigint;
  v_deleted bigint;
begin
  if v_count > 0 then
    select array_agg(x.bytes order by x.ord), array_agg(x.hash order by x.ord), min(x.ord) filter (where
      x.doc->>'prev' is distinct from encode(x.prev, 'hex')
      or (x.doc->>'seq')::bigint is distinct from v_head.size + x.ord - 1
      or x.doc->>'log' is distinct from v_head.log)
    into v_bytes, v_hashes, v_bad
    from (
      select h.*, lag(h.hash, 1, v_head.hash) over (order by h.ord) as prev
      from (
        select e.ord, e.bytes, e.doc, sha256('\x00'::bytea || e.bytes) as hash
        from (
          select t.ord, convert_to(t.text, 'UTF8') as bytes, t.text::jsonb as doc
          from unnest(v_texts) with ordinality as t(text, ord)
        ) e
      ) h
    ) x;
    -- Each entry names the hash of the one before; of the last one we are told.
    if v_bad is null and v_hashes[v_count] is distinct from decode(p->>'hash', 'hex') then
      v_bad := v_count;
    end if;
    if v_bad is not null then
      raise exception 'entry % of this batch does not follow the chain', v_bad using errcode = 'BW002';
    end if;
    if octet_length(decode(p->>'frontier', 'hex')) is distinct from 32 * bit_count((v_head.size + v_count)::bit(64)) then
      raise exception 'the frontier is not one of % entries', v_head.size + v_count using errcode = 'BW002';
    end if;

    insert into ledger_entry (seq, bytes, hash)
    select v_head.size + e.ord - 1, e.bytes, e.hash from unnest(v_bytes, v_hashes) with ordinality as e(bytes, hash, ord);
    perform put_ledger_nodes(p);

    perform 1 from ledger_intake i where i.id = any (v_intake) order by i.id for update;
    insert into ledger_private (seq, field, account, sealed)
    select k.f[1]::bigint, k.f[3], nullif(k.f[4], '')::bigint, decode(k.f[5], 'hex')
    from (
      select string_to_array(l.line, E'\t') as f from unnest(string_to_array(p_kept, E'\n')) as l(line)
    ) k
    -- Emptied by an erasure since it was read: then nothing is kept behind the commitment.
    join ledger_intake i on i.id = k.f[2]::bigint
    where i.private ? k.f[3];

    -- Intent and result of one action may be in one batch: it was stopped before anything was sent.
    update action a set
      intent_seq = coalesce(x.intent_seq, a.intent_seq),
      result_seq = coalesce(x.result_seq, a.result_seq)
    from (
      select i.action_id,
        max(v_head.size + e.ord - 1) filter (where i.phase = 'intent') as intent_seq,
        max(v_head.size + e.ord - 1) filter (where i.phase = 'result') as result_seq
      from unnest(v_intake) with ordinality as e(intake, ord)
      join ledger_intake i on i.id = e.intake
      where i.action_id is not null
      group by i.action_id
    ) x
    where a.id = x.action_id;

    delete from ledger_intake i where i.id = any (v_intake);
    get diagnostics v_deleted = row_count;
    if v_deleted <> v_count then
      raise exception '% intake rows for % entries', v_deleted, v_count using errcode = 'BW002';
    end if;

    -- Never back: the time of the next entry starts here, on whatever machine it is made.
    update ledger_head h set size = h.size + v_count, hash = v_hashes[v_count], frontier = decode(p->>'frontier', 'hex'),
      at = greatest(h.at, v_now), vetted_at = clock_timestamp(), vetted_on = ledger_timeline();
  elsif v_head.vetted_at is null or v_head.vetted_at < clock_timestamp() - interval '5 seconds'
    or v_head.vetted_on is distinct from ledger_timeline()
  then
    update ledger_head h set vetted_at = clock_timestamp(), vetted_on = ledger_timeline();
  end if;

  return query select v_head.size + v_count, release_actions(p->'limits', v_now);
end $$;

-- Facts that somebody waits for, many in one statement. p_facts: {type, actor, pub, private, account, idem, at}, one a line.
-- Gives each its intake row, or null when it was recorded before.
create function note_facts_v1(p jsonb, p_facts text) returns table (idem text, id bigint)
  language sql security definer set search_path = blobwatch, pg_temp as $$
  with fact as materialized (
    select t.ord, t.line::jsonb as doc from unnest(string_to_array(p_facts, E'\n')) with ordinality as t(line, ord)
  ), noted as (
    insert into ledger_intake (type, actor, pub, private, account, idem, at)
    select f.doc->>'type', coalesce(f.doc->'actor', '{"kind":"system"}'), f.doc->'pub', coalesce(f.doc->'private', '{}'),
      (f.doc->>'account')::bigint, f.doc->>'idem', (f.doc->>'at')::timestamptz
    from fact f order by f.ord
    on conflict (idem) do nothing
    returning ledger_intake.idem, ledger_intake.id
  )
  select f.doc->>'idem', coalesce(n.id, (select i.id from ledger_intake i where i.idem = f.doc->>'idem'))
  from fact f left join noted n on n.idem = f.doc->>'idem'
$$;

-- A signed checkpoint, or the same one with more cosignatures. Only the leader's word counts.
create function put_checkpoint_v1(p jsonb) returns table (result text)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
begin
  perform 1 from ledger_head h where h.epoch = (p->>'epoch')::bigint and h.size >= (p->>'size')::bigint for update;
  if not found then
    raise exception 'another sequencer leads the ledger' using errcode = 'BW001';
  end if;
  insert into ledger_checkpoint (origin, size, note, at, witnesses, anchored_at)
  values (p->>'origin', (p->>'size')::bigint, p->>'note', v_now, (p->>'witnesses')::integer,
    case when (p->>'anchored')::boolean then v_now end)
  on conflict (origin, size) do update set note = excluded.note, witnesses = excluded.witnesses,
    anchored_at = coalesce(ledger_checkpoint.anchored_at, excluded.anchored_at);
  insert into ledger_anchor (origin, size, kind, who, body, at)
  select p->>'origin', (p->>'size')::bigint, a.kind, a.who, decode(a.body, 'hex'), v_now
  from jsonb_to_recordset(coalesce(p->'anchors', '[]')) as a(kind text, who text, body text)
  on conflict do nothing;
  return query select 'put';
end $$;

-- Of checkpoints older than a day one an hour is kept, and every one that a record or a time stamp names.
create function prune_checkpoints_v1(p jsonb) returns table (removed integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
begin
  delete from ledger_checkpoint c
  where c.at < (p->>'now')::timestamptz - interval '1 day'
    and exists (
      select from ledger_checkpoint n
      where n.origin = c.origin and n.size > c.size and date_trunc('hour', n.at) = date_trunc('hour', c.at)
        and (n.anchored_at is not null or c.anchored_at is null)
    )
    and not exists (
      select from ledger_anchor a where a.origin = c.origin and a.size = c.size and a.kind <> 'witness'
    );
  get diagnostics removed = row_count;
  return next;
end $$;

-- A person says that entries are lost for good: the log goes on under another name, and its first entry says so. It is
-- put before everything that waits. Label numbers jump beyond any that may have been given out: to milliseconds of now.
create function recover_ledger_v1(p jsonb) returns table (log text, label_seq bigint)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_head ledger_head := require_ledger_head(p);
  v_labels bigint;
begin
  update ledger_head h set log = p->>'log', vetted_at = null;
  update label_head h set seq = greatest(h.seq, (extract(epoch from v_now) * 1000)::bigint) returning h.seq into v_labels;
  insert into ledger_intake (id, type, actor, pub, private, idem, at) overriding system value
  select least(0, coalesce(min(i.id), 0)) - 1, 'log.recovered', actor((p->>'principal')::integer),
    jsonb_build_object('previousLog', v_head.log, 'previousSize', (p->>'previousSize')::bigint,
      'previousRoot', p->>'previousRoot', 'size', v_head.size, 'labelSeq', v_labels),
    jsonb_build_object('reason', p->>'reason'), 'log.recovered:' || (p->>'log'), v_now
  from ledger_intake i;
  return query select p->>'log', v_labels;
end $$;

-- The next released action that may leave now. One in flight a subject; an older revision ends superseded; an action
-- older than the age limit is dead and stays in view; a pause stops it here too, in every process at once.
create or replace function claim_action_v1(p jsonb) returns table (
  action bigint, token uuid, kind text, applied boolean, attempts integer, ref text, detail jsonb,
  account bigint, did text, blob_cid text, collection text, rkey text, record_cid text, source text
) language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_until timestamptz := v_now + make_interval(secs => (p->>'leaseSeconds')::double precision);
  v_a action;
begin
  -- A database that was restored or promoted behind us may hold actions that were done already.
  if not ledger_is_vetted() then
    return;
  end if;
  loop
    select a.* into v_a from action a
    where (a.state = 'released' or (a.state = 'sending' and a.lease_until < v_now))
      and a.next_at <= v_now
      and a.kind = any (array(select jsonb_array_elements_text(p->'kinds')))
      and not is_paused(a.id, a.kind)
      and not exists (
        select from action o where o.subject = a.subject and o.id <> a.id and o.state = 'sending' and o.lease_until >= v_now
      )
    order by a.next_at
    limit 1
    for no key update skip locked;
    if not found then
      return;
    end if;
    -- Looked at again with the subject locked: another worker may have taken its other action in the meantime.
    perform 1 from subject s where s.id = v_a.subject for no key update;
    if exists (
      select from action o where o.subject = v_a.subject and o.id <> v_a.id and o.state = 'sending' and o.lease_until >= v_now
    ) then
      continue;
    end if;
    if exists (
      select from action o where o.subject = v_a.subject and o.kind = v_a.kind and o.revision > v_a.revision
        and o.detail->>'val' is not distinct from v_a.detail->>'val'
    ) then
      perform end_action(v_a.id, 'superseded', 'a newer decision', v_now);
      continue;
    end if;
    if v_a.released_at < v_now - make_interval(secs => (p->>'ageSecondsMax')::double precision) then
      perform end_action(v_a.id, 'dead', coalesce(v_a.last_error, 'too old'), v_now);
      continue;
    end if;
    exit;
  end loop;
  update action a set state = 'sending', attempts = a.attempts + 1, lease_token = gen_random_uuid(), lease_until = v_until
  where a.id = v_a.id
  returning a.* into v_a;
  return query
  select v_a.id, v_a.lease_token, v_a.kind, v_a.applied, v_a.attempts, our_ref(v_a.subject), v_a.detail,
    s.account, ac.did, encode(coalesce(s.blob_cid, d.blob_cid), 'hex'), s.collection, s.rkey, encode(s.record_cid, 'hex'), d.source
  from subject s join account ac on ac.id = s.account, decision d
  where s.id = v_a.subject and d.id = v_a.decision;
end $$;

-- The intent names the class of the banks that caused it: what a receipt for the affected account may say of the rule.
create or replace function note_intent(p_action bigint, p_now timestamptz) returns void
  language sql set search_path = blobwatch, pg_temp as $$
  insert into ledger_intake (type, actor, pub, private, account, action_id, phase, idem, at)
  select 'action.intent', '{"kind":"system"}',
    jsonb_build_object('action', a.id, 'kind', a.kind, 'applied', a.applied, 'revision', a.revision,
      'decision', a.decision, 'byPerson', a.by_person, 'class', coalesce((
        select case when bool_or(b.class = 'restricted') then 'restricted' else 'open' end
        from action_cause x join bank_content c on c.id = x.content join bank b on b.id = c.bank
        where x.action = a.id
      ), 'open')),
    jsonb_strip_nulls(jsonb_build_object('account', ac.did, 'blob', encode(s.blob_cid, 'hex'),
      'record', case when s.collection is not null then s.collection || '/' || s.rkey end)),
    s.account, a.id, 'intent', 'intent:' || a.idem, p_now
  from action a join subject s on s.id = a.subject join account ac on ac.id = s.account
  where a.id = p_action and a.intent_seq is null
  on conflict (idem) do nothing
$$;

-- The next label number. On another history of the database (a promotion, a restore) numbers above may have been given out:
-- it jumps to milliseconds of now, beyond any of them, rather than give one twice.
alter table label_head add column timeline text;
create function next_label_seq(p_now timestamptz) returns bigint
  language sql set search_path = blobwatch, pg_temp as $$
  update label_head h set timeline = ledger_timeline(), seq = case
    when h.timeline is distinct from ledger_timeline() and h.timeline is not null
    then greatest(h.seq + 1, (extract(epoch from p_now) * 1000)::bigint)
    else h.seq + 1 end
  returning seq
$$;

-- p.outcome: done | refused | retry. A label is written here, with its sequence number, in commit order.
create or replace function finish_v1(p jsonb) returns table (result text)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_a action;
  v_s subject;
  v_seq bigint;
begin
  select * into v_a from action a
  where a.id = (p->>'action')::bigint and a.lease_token = (p->>'token')::uuid and a.state = 'sending'
  for no key update;
  if not found then
    return query select 'lost';
    return;
  end if;

  if p->>'outcome' = 'retry' then
    update action set state = 'released', lease_token = null, lease_until = null,
      next_at = (p->>'nextAt')::timestamptz, last_error = p->>'reason'
    where id = v_a.id;
    return query select 'retry';
    return;
  end if;

  select * into v_s from subject where id = v_a.subject for no key update;
  if p->>'outcome' = 'done' and p->'label' is not null then
    v_seq := next_label_seq(v_now);
    delete from label l
    where l.src = p#>>'{label,src}' and l.uri = p#>>'{label,uri}' and l.val = p#>>'{label,val}';
    insert into label (seq, src, uri, cid, val, neg, cts, sig, key_did, account, action_id)
    values (v_seq, p#>>'{label,src}', p#>>'{label,uri}', p#>>'{label,cid}', p#>>'{label,val}',
      coalesce((p#>>'{label,neg}')::boolean, false), p#>>'{label,cts}', decode(p#>>'{label,sig}', 'hex'),
      p#>>'{label,keyDid}', v_s.account, v_a.id);
  end if;

  if v_a.kind <> 'label' and p->>'outcome' = 'done' then
    update subject set
      observed = case when v_a.applied then 'taken-down' else 'none' end,
      observed_ref = p#>>'{detail,ref}',
      observed_at = v_now,
      standing = case
        when standing = 'released-by-person' then standing
        when v_a.applied then 'taken-down'
        else 'none' end
    where id = v_s.id;
  end if;

  update action set state = p->>'outcome', ended_at = v_now, lease_token = null, lease_until = null,
    last_error = p->>'reason',
    -- The label's cid is kept for its negation, which must name the same version.
    detail = coalesce(detail, '{}') || coalesce(p->'detail', '{}')
      || case when p->'label' is null then '{}' else jsonb_strip_nulls(jsonb_build_object('cid', p#>'{label,cid}')) end
  where id = v_a.id;
  perform note_v1('action.result', '{"kind":"system"}',
    jsonb_strip_nulls(jsonb_build_object('action', v_a.id, 'outcome', p->>'outcome', 'reason', p->>'reason',
      'detail', (p->'detail') - 'theirs', 'labelSeq', v_seq, 'attempts', v_a.attempts)),
    -- A stranger's free text is no part of what the ledger shows.
    jsonb_strip_nulls(jsonb_build_object('theirs', p#>>'{detail,theirs}')), v_s.account, v_a.id, 'result', 'result:' || v_a.id || ':' || (p->>'outcome'), v_now);
  return query select p->>'outcome';
end $$;
