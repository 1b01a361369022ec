-- What people found when they looked (feedback), and taking back what something caused (reversal).

create index decision_subject on decision (subject);
create index bank_content_moved on bank_content (moved_to) where moved_to is not null;
create index bank_change_principal on bank_change (principal);
create index feedback_case on feedback (case_file) where case_file is not null;
create index feedback_not_exported on feedback (id) where exported_at is null;
create unique index reversal_action_undo on reversal_action (undo) where undo is not null;

-- Takes back one action. Nothing was sent: nothing will be. Something was or may have been: an undo is planned, which
-- leaves only if the other side's reference is still ours. Whether another cause wants it is the caller's question.
create function take_back(p_action bigint, p_why text, p_now timestamptz) returns table (outcome text, undo bigint)
  language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_a action;
  v_force action;
  v_newest action;
begin
  select * into v_a from action where id = p_action for no key update;
  outcome := 'none';
  if v_a.state in ('held', 'planned') or (v_a.state = 'released' and v_a.attempts = 0) then
    perform end_action(v_a.id, 'superseded', p_why, p_now);
    update subject set wanted = 'none', revision = revision + 1 where id = v_a.subject and v_a.kind <> 'label';
    outcome := 'stopped';
  end if;
  select * into v_newest from action a where a.subject = v_a.subject and a.kind = v_a.kind order by a.revision desc limit 1;
  -- What may be in force: the newest revision of which anything may have left, whatever came after it.
  select * into v_force from action a
  where a.subject = v_a.subject and a.kind = v_a.kind and a.detail->>'val' is not distinct from v_a.detail->>'val'
    and a.applied and a.attempts > 0
    and (a.kind <> 'label' or a.state in ('done', 'sending'))
  order by a.revision desc limit 1;
  if v_force.id is not null and undone_through(v_a.id) < v_force.revision then
    insert into action (decision, subject, kind, applied, undoes, revision, idem, state, by_person, detail, created_at)
    values (v_force.decision, v_a.subject, v_a.kind, false, v_force.id, v_newest.revision + 1,
      v_a.kind || ':' || v_a.subject || ':' || (v_newest.revision + 1), 'planned', true,
      v_force.detail - 'readBack', p_now)
    on conflict do nothing
    returning id into undo;
    if undo is not null then
      insert into action_cause (action, content) select undo, content from action_cause where action = v_force.id;
      update subject set wanted = 'none', revision = revision + 1
      where id = v_a.subject and v_a.kind <> 'label' and outcome <> 'stopped';
      perform note_intent(undo, p_now);
      outcome := 'reversing';
    end if;
  end if;
  return next;
end $$;

-- The name that an erasure takes labels back by; p_decision was never read.
create or replace function withdraw_action(p_action bigint, p_decision bigint, p_why text, p_now timestamptz) returns text
  language sql set search_path = blobwatch, pg_temp as $$
  select outcome from take_back(p_action, p_why, p_now)
$$;

-- The newest revision of an undo that happened or still may, among the actions of one subject, kind and label; 0: none.
create function undone_through(p_action bigint) returns integer
  language sql stable set search_path = blobwatch, pg_temp as $$
  select coalesce(max(u.revision), 0)
  from action a join action u on u.subject = a.subject and u.kind = a.kind
    and u.detail->>'val' is not distinct from a.detail->>'val'
  where a.id = p_action and not u.applied and u.state not in ('refused', 'dead', 'superseded')
$$;

-- A content that a person moved is the one it became.
create function content_now(p_content integer) returns integer
  language plpgsql stable set search_path = blobwatch, pg_temp as $$
declare
  v_content integer := p_content;
  v_next integer;
begin
  for n in 1..100 loop
    select c.moved_to into v_next from bank_content c where c.id = v_content;
    exit when v_next is null or v_next = v_content;
    v_content := v_next;
  end loop;
  return v_content;
end $$;

-- Neither removed nor disabled; disable_until_ts as HMA has it.
create function is_live(p_content bank_content, p_now timestamptz) returns boolean
  language sql immutable as $$
  select p_content.removed_at is null
    and (p_content.disable_until_ts = 1 or p_content.disable_until_ts between 2 and extract(epoch from p_now))
$$;

-- False when a person has since removed or disabled every content that caused this action.
create or replace function has_live_cause(p_action bigint, p_now timestamptz) returns boolean
  language sql stable set search_path = blobwatch, pg_temp as $$
  select exists (
    select from action_cause ac join bank_content c on c.id = content_now(ac.content)
    where ac.action = p_action and is_live(c, p_now)
  )
$$;

-- False when nothing that caused this action counts any more: each match has been set aside since, by a negative bank or a
-- ratio, or its content is among the harmless pictures itself. A moved content's matches are those of what it became.
create function still_counts(p_action bigint) returns boolean
  language sql stable set search_path = blobwatch, pg_temp as $$
  select exists (
    select from action a
    join decision d on d.id = a.decision or d.subject = a.subject
    join match m on m.blob_cid = d.blob_cid and m.set_aside is null
    join action_cause ac on ac.action = a.id and content_now(ac.content) = m.content
    join bank b on b.id = m.bank and not b.policy ? 'suppresses'
    where a.id = p_action
  )
$$;

-- What a person's word about a case is about: each picture with each content, as it is now, whose match counted.
create function counted_in_case(p_case integer) returns table (blob_cid bytea, content integer)
  language sql stable set search_path = blobwatch, pg_temp as $$
  select distinct m.blob_cid, content_now(m.content)
  from case_blob cb join match m on m.blob_cid = cb.blob_cid
  where cb.case_file = p_case and m.set_aside is null
$$;

-- Feedback marks a content and does nothing else: it disables nothing, moves nothing and stops nothing.
create function mark_reviewed(p_contents integer[], p_verdict text, p_now timestamptz) returns void
  language plpgsql set search_path = blobwatch, pg_temp as $$
begin
  perform 1 from bank_content c where c.id = any (p_contents) order by c.id for no key update;
  update bank_content c set reviewed_at = p_now,
    reviewed = case p_verdict when 'harmful' then 'confirmed' else 'deconfirmed' end
  where c.id = any (p_contents);
end $$;

-- A row for each picture of the case and each content that counted for it; an entry for each content. Returns the rows.
create function feedback_of_case(p_case integer, p_verdict text, p_principal integer, p_note text, p_now timestamptz)
  returns integer language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_given integer := 0;
  v_content record;
begin
  for v_content in
    with given as (
      insert into feedback (at, principal, verdict, blob_cid, bank, content, case_file, note)
      select p_now, p_principal, p_verdict, x.blob_cid, c.bank, x.content, p_case, p_note
      from counted_in_case(p_case) x join bank_content c on c.id = x.content order by x.content, x.blob_cid
      returning feedback.content, feedback.bank
    )
    select g.content, g.bank, count(*)::integer as blobs from given g group by 1, 2 order by 1
  loop
    v_given := v_given + v_content.blobs;
    perform note_v1('feedback.given', actor(p_principal),
      jsonb_build_object('case', p_case, 'content', v_content.content, 'bank', 'b' || v_content.bank,
        'verdict', p_verdict, 'blobs', v_content.blobs),
      null, null, null, null, 'feedback:' || gen_random_uuid(), p_now);
  end loop;
  perform mark_reviewed(array(select distinct x.content from counted_in_case(p_case) x), p_verdict, p_now);
  return v_given;
end $$;

-- p: verdict, blob, content (may be absent), principal, note, now. Said again by the same person it is not given again.
create function give_feedback_v1(p jsonb) returns table (feedback integer, content integer, given boolean)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_principal integer := (p->>'principal')::integer;
  v_cid bytea := decode(p->>'blob', 'hex');
  v_matched integer[];
  v_bank integer;
  v_last feedback;
begin
  select coalesce(array_agg(distinct m.content order by m.content), '{}') into v_matched
  from match m where m.blob_cid = v_cid and (m.set_aside is null or m.content = (p->>'content')::integer);
  content := (p->>'content')::integer;
  if content is not null and content <> all (v_matched) then
    raise exception 'content % did not match this blob', content using errcode = 'BU001';
  elsif content is null and p->>'verdict' = 'not-harmful' then
    if cardinality(v_matched) <> 1 then
      raise exception '%', case cardinality(v_matched) when 0
        then 'nothing matched this blob: only of a match it can be said that it is not harmful'
        else 'contents ' || array_to_string(v_matched, ', ') || ' matched this blob: say which with --content' end
        using errcode = 'BU001';
    end if;
    content := v_matched[1];
  end if;

  select f.* into v_last from feedback f
  where f.blob_cid = v_cid and f.principal = v_principal and f.content is not distinct from give_feedback_v1.content
  order by f.id desc limit 1;
  given := v_last.id is null or v_last.verdict <> p->>'verdict' or v_last.note is distinct from p->>'note';
  feedback := v_last.id;
  if given then
    select c.bank into v_bank from bank_content c where c.id = give_feedback_v1.content;
    insert into feedback as f (at, principal, verdict, blob_cid, bank, content, note)
    values (v_now, v_principal, p->>'verdict', v_cid, v_bank, give_feedback_v1.content, p->>'note')
    returning f.id into feedback;
    perform mark_reviewed(array[give_feedback_v1.content], p->>'verdict', v_now);
    perform note_v1('feedback.given', actor(v_principal),
      jsonb_strip_nulls(jsonb_build_object('feedback', feedback, 'verdict', p->>'verdict', 'content', content,
        'bank', 'b' || v_bank)),
      jsonb_strip_nulls(jsonb_build_object('blob', p->>'blob', 'note', p->>'note')),
      null, null, null, 'feedback:' || gen_random_uuid(), v_now);
  end if;
  return next;
end $$;

-- The place that was decided about, and the picture in that account. Without a search_path, so that queries take it in.
create function subjects_of_decision(p_decision decision) returns table (id bigint)
  language sql stable as $$
  select p_decision.subject
  union
  select s.id from subject s
  where s.kind = 'blob' and s.account = p_decision.account and s.blob_cid = p_decision.blob_cid
    and s.collection is null and s.rkey is null
$$;

-- What the case's pictures caused: the newest action of each subject, kind and label. wanted_by: the other cases that
-- still want it (another picture of the same record); null when none does.
create function actions_of_case(p_case integer) returns table (action bigint, state text, wanted_by jsonb)
  language sql stable set search_path = blobwatch, pg_temp as $$
  select distinct on (a.subject, a.kind, a.detail->>'val') a.id, a.state, (
    select jsonb_agg(distinct f.id) from decision d2
    join case_blob cb2 on cb2.blob_cid = d2.blob_cid join case_file f on f.id = cb2.case_file
    where d2.subject = a.subject and s.kind = 'record' and d2.outcome in ('acted', 'held') and a.kind = any (d2.wants)
      and f.id <> p_case and f.state not in ('released', 'overturned')
  )
  from case_blob cb
  join decision d on d.blob_cid = cb.blob_cid
  cross join lateral subjects_of_decision(d) t
  join subject s on s.id = t.id
  join action a on a.subject = s.id and a.applied
  where cb.case_file = p_case
    and exists (
      select from action_cause ac join match m on m.content = ac.content and m.blob_cid = cb.blob_cid where ac.action = a.id
    )
    and not exists (
      select from action o where o.subject = a.subject and o.kind = a.kind and o.revision > a.revision
        and o.detail->>'val' is not distinct from a.detail->>'val'
    )
  order by a.subject, a.kind, a.detail->>'val', a.revision desc
$$;

-- By what was decided about these blobs, not by who asked first: a record action of two pictures is in both cases.
create function confirm_case(p_case integer, p_now timestamptz) returns integer
  language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_action bigint;
  v_actions integer := 0;
begin
  for v_action in
    select a.id from action a
    where a.state in ('held', 'planned') and a.applied and a.id in (
      select o.id
      from case_blob cb
      join decision d on d.blob_cid = cb.blob_cid
      join subject s on s.account = d.account and (s.id = d.subject or s.blob_cid = d.blob_cid)
      join action o on o.subject = s.id
      where cb.case_file = p_case and d.outcome in ('held', 'acted') and o.kind = any (d.wants)
    )
    order by a.id for no key update
  loop
    update action set state = 'planned', waiting = null, by_person = true where id = v_action;
    perform note_intent(v_action, p_now);
    v_actions := v_actions + 1;
  end loop;
  update subject s set standing = 'none'
  from decision d join case_blob cb on cb.blob_cid = d.blob_cid
  where cb.case_file = p_case and s.standing = 'released-by-person'
    and s.account = d.account and (s.id = d.subject or (s.kind = 'blob' and s.blob_cid = d.blob_cid));
  return v_actions;
end $$;

-- actions: taken back. stays: what goes on although this case let it go, because the cases in wanted_by want it too.
create function let_case_go(p_case integer, p_why text, p_now timestamptz)
  returns table (actions integer, stays integer, wanted_by jsonb)
  language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_a record;
  v_cases jsonb := '[]';
begin
  actions := 0;
  stays := 0;
  for v_a in select * from actions_of_case(p_case) loop
    if v_a.wanted_by is null then
      actions := actions + (select (t.outcome <> 'none')::integer from take_back(v_a.action, p_why, p_now) t);
    elsif v_a.state in ('held', 'planned', 'released', 'sending', 'done') then
      stays := stays + 1;
      v_cases := v_cases || v_a.wanted_by;
    end if;
  end loop;
  -- A person released these: nothing is done to them again without a person.
  update subject s set standing = 'released-by-person'
  from decision d join case_blob cb on cb.blob_cid = d.blob_cid
  where cb.case_file = p_case and s.account = d.account and s.kind = 'blob' and s.blob_cid = d.blob_cid;
  select coalesce(jsonb_agg(distinct c order by c), '[]') into wanted_by from jsonb_array_elements(v_cases) c;
  return next;
end $$;

-- Raises when a case in this state cannot be decided so.
create function check_verb(p_case case_file, p_verb text) returns void
  language plpgsql stable set search_path = blobwatch, pg_temp as $$
begin
  if p_verb = 'release' and p_case.state = 'acted' then
    raise exception 'case % has been acted on: use overturn', p_case.id using errcode = 'BU001';
  end if;
  if p_verb = 'confirm' and p_case.state not in ('open', 'acted') or p_verb = 'release' and p_case.state <> 'open'
    or p_verb = 'overturn' and p_case.state not in ('open', 'acted', 'confirmed')
  then
    raise exception 'case % is % already', p_case.id, p_case.state using errcode = 'BU001';
  end if;
  if p_verb = 'overturn' and p_case.state = 'open' and not exists (
    select from action a join decision d on d.id = a.decision join case_blob cb on cb.blob_cid = d.blob_cid
    where cb.case_file = p_case.id and a.state in ('done', 'sending', 'released')
  ) then
    raise exception 'case % has not been acted on: use release', p_case.id using errcode = 'BU001';
  end if;
end $$;

-- The contents that a person wants changed with a decision: those they named, or the only one behind the match.
create function contents_to_change(p_case integer, p_named integer[], p_all boolean) returns integer[]
  language plpgsql stable set search_path = blobwatch, pg_temp as $$
declare
  v_behind integer[] := array(select distinct x.content from counted_in_case(p_case) x);
  v_named integer[] := case when p_named is not null then array(select content_now(n) from unnest(p_named) n) end;
  v_there integer[];
  v_stranger integer;
begin
  select n into v_stranger from unnest(v_named) n where n <> all (v_behind) limit 1;
  if found then
    raise exception 'content % did not match in case %', v_stranger, p_case using errcode = 'BU001';
  end if;
  select coalesce(array_agg(c.id order by c.id), '{}') into v_there from bank_content c
  where c.id = any (coalesce(v_named, v_behind)) and c.removed_at is null;
  if cardinality(v_there) = 0 then
    raise exception 'no content behind case % is in a bank any more', p_case using errcode = 'BU001';
  end if;
  if v_named is null and not p_all and cardinality(v_there) > 1 then
    raise exception 'contents % matched in case %: say with --content which of them were wrong',
      array_to_string(v_there, ', '), p_case using errcode = 'BU001';
  end if;
  return v_there;
end $$;

-- What a content matched was decided; that it is in another bank is no news. Without this the pass over stored signals
-- would open every decided case of it again, the one that moved it first. Returns the content that it is now.
create function carry_matches(p_from integer, p_to integer) returns integer
  language sql set search_path = blobwatch, pg_temp as $$
  insert into match (blob_cid, signal, variant, type, distance, content, bank, bank_generation, at, set_aside, set_aside_by)
  select m.blob_cid, n.id, m.variant, m.type, m.distance, n.content, c.bank, m.bank_generation, m.at, m.set_aside, m.set_aside_by
  from bank_content c
  join bank_signal n on n.content = c.id
  join bank_signal o on o.content = p_from and o.type = n.type and o.value = n.value
  join match m on m.content = p_from and m.signal = o.id
  where c.id = p_to
  order by m.blob_cid, n.id
  on conflict do nothing;
  select p_to
$$;

-- Moves (p.moveTo, a bank) or disables (p.disableUntilTs) contents behind a case. Each is a change of a bank like any other.
create function change_contents_of_case(p jsonb) returns integer[]
  language plpgsql set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_case integer := (p->>'case')::integer;
  v_named integer[] := case when p->'contents' is not null
    then array(select jsonb_array_elements_text(p->'contents')::integer) end;
  v_content integer;
  v_bank bank;
  v_to bank;
  v_changed integer[] := '{}';
begin
  if p->>'moveTo' is not null then
    select * into v_to from bank b where b.name = p->>'moveTo';
    if not found then
      raise exception 'bank ''%'' not found', p->>'moveTo' using errcode = 'BU001';
    end if;
  end if;
  foreach v_content in array contents_to_change(v_case, v_named, v_to.id is not null) loop
    select b.* into v_bank from bank_content c join bank b on b.id = c.bank where c.id = v_content;
    continue when v_bank.id = v_to.id;
    if v_to.id is not null then
      v_content := carry_matches(v_content, move_content(v_content, v_to.id, (p->>'principal')::integer, v_now));
    else
      perform change_bank_v1(jsonb_build_object('op', 'content.set', 'name', v_bank.name, 'content', v_content,
        'disableUntilTs', (p->>'disableUntilTs')::bigint, 'principal', (p->>'principal')::integer, 'now', p->>'now'));
    end if;
    v_changed := v_changed || v_content;
  end loop;
  return v_changed;
end $$;

-- p: case, verb (confirm | release | overturn | note), principal, note, now; with confirm moveTo (a bank's name), with
-- release and overturn disableUntilTs, with either contents (of several). changed: the contents moved (as they are now) or disabled.
create function decide_case_v2(p jsonb) returns table (
  state text, actions integer, subjects integer, feedback integer, stays integer, "wantedBy" jsonb, changed integer[]
) language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_principal integer := (p->>'principal')::integer;
  v_verb text := p->>'verb';
  v_case case_file;
  v_changes boolean := case when v_verb = 'confirm' then p->>'moveTo' is not null
    when v_verb in ('release', 'overturn') then p->>'disableUntilTs' is not null else false end;
begin
  if v_changes then
    -- Before any row is locked, as by every change of a bank: who writes a scan holds this first and the case later.
    perform pg_advisory_xact_lock(bank_lock_key());
  end if;
  select * into v_case from case_file where id = (p->>'case')::integer for no key update;
  if not found then
    raise exception 'there is no case %', p->>'case' using errcode = 'BU001';
  end if;
  perform check_verb(v_case, v_verb);
  state := case v_verb when 'confirm' then 'confirmed' when 'release' then 'released'
    when 'overturn' then 'overturned' else v_case.state end;
  actions := 0;
  feedback := 0;
  stays := 0;
  "wantedBy" := '[]';
  changed := '{}';

  insert into case_event (case_file, at, principal, event, note)
  values (v_case.id, v_now, v_principal, v_verb, p->>'note');
  if v_verb <> 'note' then
    update case_file f set state = decide_case_v2.state, decided_at = v_now, decided_by = v_principal where f.id = v_case.id;
    feedback := feedback_of_case(v_case.id, case v_verb when 'confirm' then 'harmful' else 'not-harmful' end,
      v_principal, p->>'note', v_now);
  end if;
  if v_verb = 'confirm' then
    actions := confirm_case(v_case.id, v_now);
  elsif v_verb in ('release', 'overturn') then
    select g.actions, g.stays, g.wanted_by into actions, stays, "wantedBy" from let_case_go(v_case.id, v_verb, v_now) g;
  end if;
  if v_changes then
    changed := change_contents_of_case(p);
  end if;

  select count(distinct d.subject) into subjects
  from decision d join case_blob cb on cb.blob_cid = d.blob_cid where cb.case_file = v_case.id;
  perform note_v1('case.' || v_verb, actor(v_principal),
    jsonb_strip_nulls(jsonb_build_object('case', v_case.id, 'before', v_case.state, 'after', state, 'actions', actions,
      'stays', nullif(stays, 0))),
    case when p->>'note' is not null then jsonb_build_object('note', p->>'note') end,
    null, null, null, 'case:' || v_case.id || ':' || v_verb || ':' || gen_random_uuid(), v_now);
  return next;
end $$;

-- What a process of before this schema calls: the same decision, told in fewer words.
create or replace function decide_case_v1(p jsonb) returns table (state text, actions integer, subjects integer)
  language sql security definer set search_path = blobwatch, pg_temp as $$
  select d.state, d.actions, d.subjects from decide_case_v2(p) d
$$;

-- A reversal's scope: content | bank | principal (with addedSince and addedUntil where a key stands for it) or none of
-- these; since and until, of the release; last, the newest action when it was started; as, the words it was asked in.

-- Whether the scope chose this content. A time range alone chooses whatever caused something in it.
create function is_chosen(p_scope jsonb, p_content integer) returns boolean
  language sql stable set search_path = blobwatch, pg_temp as $$
  select case
    when p_scope ? 'content' then content_now(p_content) = content_now((p_scope->>'content')::integer)
    when p_scope ? 'bank' then exists (
      select from bank_content c where c.id = p_content and c.bank = (p_scope->>'bank')::integer)
    when p_scope ? 'principal' then exists (
      select from bank_signal s join bank_change g on g.generation = s.added_generation
      where s.content = p_content and g.principal = (p_scope->>'principal')::integer
        and g.at >= coalesce((p_scope->>'addedSince')::timestamptz, '-infinity')
        and g.at <= coalesce((p_scope->>'addedUntil')::timestamptz, 'infinity')
      union all
      -- Who brought it to the admission test, where another person let it in.
      select from bank_content c join admission m on m.id = c.admission
      where c.id = p_content and m.principal = (p_scope->>'principal')::integer
        and m.at >= coalesce((p_scope->>'addedSince')::timestamptz, '-infinity')
        and m.at <= coalesce((p_scope->>'addedUntil')::timestamptz, 'infinity')
        and not exists (select from bank_content o where o.moved_to = c.id))
    else true end
$$;

-- Whether the last confirmation of the case is the word of the scope's principal.
create function is_their_word(p_scope jsonb, p_case integer) returns boolean
  language sql stable set search_path = blobwatch, pg_temp as $$
  select p_scope ? 'principal' and exists (
    select from case_event e
    where e.id = (select max(o.id) from case_event o where o.case_file = p_case and o.event = 'confirm')
      and e.principal = (p_scope->>'principal')::integer
      and e.at >= coalesce((p_scope->>'addedSince')::timestamptz, '-infinity')
      and e.at <= coalesce((p_scope->>'addedUntil')::timestamptz, 'infinity'))
$$;

-- What of an action may be in force, under way, or still to come.
create function may_stand(p_action action) returns boolean
  language sql immutable as $$
  select p_action.applied and (p_action.state in ('held', 'planned', 'released', 'sending', 'done')
    or (p_action.state = 'dead' and p_action.attempts > 0))
$$;

-- The content and all that it was before a person moved it.
create function moved_chain(p_content integer) returns setof integer
  language sql stable set search_path = blobwatch, pg_temp as $$
  with recursive chain (id) as (
    select p_content
    union
    select c.id from chain join bank_content c on c.moved_to = chain.id
  )
  select id from chain
$$;

-- What the scope chose of all actions. Without a search_path, so that queries take it in; of each kind of scope only its
-- own part is left then.
create function actions_in_scope(p_scope jsonb, p_chain integer[], p_after bigint) returns setof action
  language sql stable as $$
  select a.* from action a
  where a.id > p_after and a.id <= coalesce((p_scope->>'last')::bigint, a.id) and may_stand(a)
    and coalesce(a.released_at, a.created_at) >= coalesce((p_scope->>'since')::timestamptz, '-infinity')
    and coalesce(a.released_at, a.created_at) <= coalesce((p_scope->>'until')::timestamptz, 'infinity')
    and a.id in (
      select ac.action from action_cause ac where p_scope ? 'content' and ac.content = any (p_chain) and ac.action > p_after
      union all
      select ac.action from action_cause ac join bank_content c on c.id = ac.content
      where p_scope ? 'bank' and c.bank = (p_scope->>'bank')::integer and ac.action > p_after
      union all
      select ac.action from bank_change g
      join bank_signal s on s.added_generation = g.generation join action_cause ac on ac.content = s.content
      where p_scope ? 'principal' and g.principal = (p_scope->>'principal')::integer and ac.action > p_after
        and g.at >= coalesce((p_scope->>'addedSince')::timestamptz, '-infinity')
        and g.at <= coalesce((p_scope->>'addedUntil')::timestamptz, 'infinity')
      union all
      select ac.action from admission m
      join bank_content c on c.admission = m.id join action_cause ac on ac.content = c.id
      where p_scope ? 'principal' and m.principal = (p_scope->>'principal')::integer and ac.action > p_after
        and m.at >= coalesce((p_scope->>'addedSince')::timestamptz, '-infinity')
        and m.at <= coalesce((p_scope->>'addedUntil')::timestamptz, 'infinity')
        and not exists (select from bank_content o where o.moved_to = c.id)
      union all
      select o.id from case_event e
      join case_blob cb on cb.case_file = e.case_file
      join decision d on d.blob_cid = cb.blob_cid
      cross join lateral subjects_of_decision(d) t
      join action o on o.subject = t.id and o.by_person and o.kind = any (d.wants)
      where p_scope ? 'principal' and e.event = 'confirm' and e.principal = (p_scope->>'principal')::integer
        and o.id > p_after and is_their_word(p_scope, e.case_file)
      union all
      select o.id from action o where not p_scope ?| array['content', 'bank', 'principal'] and o.id > p_after
    )
$$;

-- The next actions after p_after, at most p_limit, in the order of their numbers. newest: no later revision of the same
-- thing is in the scope too, which then stands for both.
create function reversal_page(p_scope jsonb, p_after bigint, p_limit integer) returns table (id bigint, newest boolean)
  language plpgsql stable set search_path = blobwatch, pg_temp set plan_cache_mode = force_custom_plan as $$
#variable_conflict use_column
declare
  v_chain integer[] := array(select moved_chain(content_now((p_scope->>'content')::integer)));
  v_page bigint[] := array(
    select a.id from actions_in_scope(p_scope, v_chain, p_after) a order by a.id limit p_limit);
  v_later bigint[] := array(
    select o.id from action a join action o on o.subject = a.subject and o.kind = a.kind and o.revision > a.revision
      and o.detail->>'val' is not distinct from a.detail->>'val'
    where a.id = any (v_page) and may_stand(o));
begin
  if cardinality(v_later) > 0 then
    v_later := array(select a.id from actions_in_scope(p_scope, v_chain, p_after) a where a.id = any (v_later));
  end if;
  return query
  select a.id, not exists (
    select from action o where o.id = any (v_later) and o.subject = a.subject and o.kind = a.kind
      and o.revision > a.revision and o.detail->>'val' is not distinct from a.detail->>'val')
  from action a where a.id = any (v_page) order by a.id;
end $$;

-- What becomes of each action. stop: nothing was sent. reverse: something was, or may have been. not-ours: somebody else
-- had it down before us. other-cause: others, live contents outside the scope, were found on the same thing, and not in a
-- case that a person let go, nor one that only the scope's principal confirmed.
create function reversal_fates(p_scope jsonb, p_actions bigint[], p_now timestamptz)
  returns table (action bigint, kind text, account bigint, fate text, others integer[])
  language plpgsql stable set search_path = blobwatch, pg_temp set plan_cache_mode = force_custom_plan as $$
#variable_conflict use_column
begin
  return query
  with page as (
    select a.id, a.subject, a.kind, a.revision, a.state, a.detail->>'val' as val, a.detail->>'note' as note, s.account,
      case when s.kind = 'blob' then s.blob_cid end as blob_cid
    from action a join subject s on s.id = a.subject where a.id = any (p_actions)
  ), undone as (
    select g.id, coalesce(max(u.revision), 0) as revision
    from page g left join action u on u.subject = g.subject and u.kind = g.kind and u.detail->>'val' is not distinct from g.val
      and not u.applied and u.state not in ('refused', 'dead', 'superseded')
    group by g.id
  ), standing as (
    select g.id, o.id as action, o.revision, o.attempts, o.kind, o.state
    from page g join undone n on n.id = g.id
    join action o on o.subject = g.subject and o.kind = g.kind and o.detail->>'val' is not distinct from g.val
      and o.revision > n.revision and o.applied
    where may_stand(o) or o.attempts > 0
  ), caused as (
    select distinct t.id, ac.content from standing t join action_cause ac on ac.action = t.action
    where t.state not in ('superseded', 'refused')
  ), elsewhere as materialized (
    select x.content, c.id as now
    from (select distinct content from caused) x
    -- One by one: a bank may have ten million others, which nobody asks about.
    cross join lateral (select n.* from bank_content n where n.id = content_now(x.content) offset 0) c
    where is_live(c, p_now)
      -- Who moved a content did not add it, and who added it did not say that it belongs where it was moved to.
      and not (is_chosen(p_scope, c.id) and (not p_scope ? 'principal' or is_chosen(p_scope, x.content)))
  ), kept as (
    select g.id, array_agg(distinct e.now) as others
    from caused c join elsewhere e on e.content = c.content join page g on g.id = c.id
    where exists (
      select from (
        select d.blob_cid, d.wants, d.outcome, d.reason from decision d where d.subject = g.subject
        union all
        select d.blob_cid, d.wants, d.outcome, d.reason from decision d
        where d.blob_cid = g.blob_cid and d.account = g.account
      ) d
      join match m on m.blob_cid = d.blob_cid and m.content = c.content and m.set_aside is null
      left join case_blob cb on cb.blob_cid = d.blob_cid
      left join case_file f on f.id = cb.case_file
      where g.kind = any (d.wants) and d.outcome in ('acted', 'held')
        and coalesce(f.state, 'none') not in ('released', 'overturned')
        and not (p_scope ? 'principal' and (d.outcome = 'held' or d.reason = 'case-confirmed')
          and is_their_word(p_scope, f.id)))
    group by g.id
  ), sent as (
    select distinct on (t.id) t.id, t.action from standing t
    where t.attempts > 0 and (t.kind <> 'label' or t.state in ('done', 'sending'))
    order by t.id, t.revision desc
  )
  select g.id, g.kind, g.account, case
      when g.revision < n.revision then 'nothing-to-undo'
      when k.id is not null then 'other-cause'
      when s.id is null and g.state in ('held', 'planned', 'released') then 'stop'
      when s.id is null then 'nothing-to-undo'
      when s.action = g.id and g.note in ('already-by-other', 'overwritten-by-other') then 'not-ours'
      else 'reverse' end, coalesce(k.others, '{}')
  from page g join undone n on n.id = g.id left join kept k on k.id = g.id left join sent s on s.id = g.id
  order by g.id;
end $$;

-- What a reversal would do with the next actions. p: scope, after, limit, now. banks: those that keep an action as it is.
-- fate is null where a later revision of the same thing stands for the action.
create function reversal_preview_v1(p jsonb) returns table (action bigint, kind text, account bigint, fate text, banks integer[])
  language plpgsql stable security definer set search_path = blobwatch, pg_temp as $$
#variable_conflict use_column
declare
  v_page jsonb;
begin
  select coalesce(jsonb_agg(to_jsonb(g)), '[]') into v_page
  from reversal_page(p->'scope', (p->>'after')::bigint, (p->>'limit')::integer) g;
  return query
  select g.id, f.kind, f.account, f.fate,
    case when f.fate = 'other-cause' then array(select distinct c.bank from bank_content c where c.id = any (f.others)) end
  from jsonb_to_recordset(v_page) as g(id bigint, newest boolean)
  left join reversal_fates(p->'scope',
    array(select n.id from jsonb_to_recordset(v_page) as n(id bigint, newest boolean) where n.newest),
    (p->>'now')::timestamptz) f on f.action = g.id
  order by g.id;
end $$;

-- Starts a run, or finds the open one that was asked for in the same words. p: scope, reason, disables, counts (of the
-- preview), principal, now. Cases that only the scope's principal confirmed are open again: their word no longer acts.
create function start_reversal_v1(p jsonb) returns table (reversal integer, resumed boolean, reopened integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_scope jsonb := p->'scope';
  v_case integer;
begin
  -- The same words typed twice at once are one run.
  perform pg_advisory_xact_lock(7310402817008);
  reopened := 0;
  select r.id into reversal from reversal r where r.ended_at is null and r.scope->'as' = v_scope->'as' order by r.id limit 1;
  resumed := reversal is not null;
  if resumed then
    return next;
    return;
  end if;
  insert into reversal as r (at, principal, scope, reason)
  values (v_now, (p->>'principal')::integer,
    v_scope || jsonb_build_object('last', (select coalesce(max(a.id), 0) from action a),
      'disables', coalesce((p->>'disables')::boolean, false)), p->>'reason')
  returning r.id into reversal;
  for v_case in
    select f.id from case_file f
    where v_scope ? 'principal' and f.state = 'confirmed' and f.decided_by = (v_scope->>'principal')::integer
      and f.decided_at >= coalesce((v_scope->>'since')::timestamptz, '-infinity')
      and f.decided_at <= coalesce((v_scope->>'until')::timestamptz, 'infinity')
      and is_their_word(v_scope, f.id)
    order by f.id for no key update
  loop
    update case_file f set state = 'open' where f.id = v_case;
    insert into case_event (case_file, at, principal, event, note)
    values (v_case, v_now, (p->>'principal')::integer, 'reopened', 'reversal ' || reversal);
    perform note_v1('case.reopened', actor((p->>'principal')::integer),
      jsonb_build_object('case', v_case, 'reason', 'reversal', 'reversal', reversal),
      null, null, null, null, 'case.reopened:' || v_case || ':' || gen_random_uuid(), v_now);
    reopened := reopened + 1;
  end loop;
  perform note_v1('reversal.started', actor((p->>'principal')::integer),
    jsonb_strip_nulls(jsonb_build_object('reversal', reversal, 'content', v_scope->'content',
      'bank', 'b' || (v_scope->>'bank'), 'principal', v_scope->'principal', 'key', v_scope->'key',
      'since', v_scope->'since', 'until', v_scope->'until', 'disables', coalesce((p->>'disables')::boolean, false),
      'reopened', reopened, 'expected', p->'counts')),
    case when p->>'reason' is not null then jsonb_build_object('reason', p->>'reason') end,
    null, null, null, 'reversal.started:' || reversal, v_now);
  return next;
end $$;

-- Disables the next contents that the scope chose and that caused something in it; a single content in any case.
-- p: reversal, principal, limit, now. Fewer than the limit: that was all.
create function disable_chosen_v1(p jsonb) returns table (disabled integer)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_scope jsonb;
  v_chosen integer[];
  v_content record;
begin
  select r.scope into v_scope from reversal r where r.id = (p->>'reversal')::integer and r.ended_at is null for update;
  -- Sought before scans have to wait, among contents that caused something: a bank may have ten million others.
  v_chosen := case
    when v_scope ? 'content' then array[content_now((v_scope->>'content')::integer)]
    when v_scope ?| array['bank', 'principal'] then array(
      select x.content from (
        select distinct ac.content from action_cause ac join action a on a.id = ac.action
        where ac.action <= (v_scope->>'last')::bigint
          and coalesce(a.released_at, a.created_at) >= coalesce((v_scope->>'since')::timestamptz, '-infinity')
          and coalesce(a.released_at, a.created_at) <= coalesce((v_scope->>'until')::timestamptz, 'infinity')
      ) x where is_chosen(v_scope, x.content))
    else '{}' end;
  perform pg_advisory_xact_lock(bank_lock_key());
  disabled := 0;
  for v_content in
    select c.id, b.name from bank_content c join bank b on b.id = c.bank
    where c.id = any (v_chosen) and c.removed_at is null and c.disable_until_ts <> 0
    order by c.id limit (p->>'limit')::integer
  loop
    perform change_bank_v1(jsonb_build_object('op', 'content.set', 'name', v_content.name, 'content', v_content.id,
      'disableUntilTs', 0, 'principal', (p->>'principal')::integer, 'now', p->>'now'));
    disabled := disabled + 1;
  end loop;
  return next;
end $$;

-- Takes back the next actions of a run and moves its position in the same statement. p: reversal, principal, limit, now.
create function reverse_batch_v1(p jsonb) returns table (looked integer, outcomes jsonb, ended boolean)
  language plpgsql security definer set search_path = blobwatch, pg_temp as $$
declare
  v_now timestamptz := (p->>'now')::timestamptz;
  v_r reversal;
  v_page bigint[];
  v_ids bigint[];
  v_f record;
  v_outcome text;
  v_undo bigint;
begin
  select * into v_r from reversal r where r.id = (p->>'reversal')::integer for update;
  if not found then
    raise exception 'there is no reversal %', p->>'reversal' using errcode = 'BU001';
  end if;
  looked := 0;
  outcomes := '{}';
  ended := v_r.ended_at is not null;
  if ended then
    return next;
    return;
  end if;
  select coalesce(array_agg(g.id order by g.id), '{}'), coalesce(array_agg(g.id order by g.id) filter (where g.newest), '{}')
  into v_page, v_ids
  from reversal_page(v_r.scope, v_r.through, (p->>'limit')::integer) g;
  -- Actions before subjects, as who sends them does; a scan that gives one of them another cause waits for the subject.
  perform 1 from action a where a.id = any (v_ids) order by a.id for no key update;
  perform 1 from subject s where s.id in (select a.subject from action a where a.id = any (v_ids))
  order by s.id for no key update;
  for v_f in select f.action, f.fate from reversal_fates(v_r.scope, v_ids, v_now) f order by f.action loop
    v_undo := null;
    v_outcome := v_f.fate;
    if v_outcome in ('stop', 'reverse') then
      select case t.outcome when 'none' then 'nothing-to-undo' else t.outcome end, t.undo into v_outcome, v_undo
      from take_back(v_f.action, 'reversal ' || v_r.id, v_now) t;
    end if;
    insert into reversal_action (reversal, action, outcome, undo) values (v_r.id, v_f.action, v_outcome, v_undo);
    outcomes := outcomes || jsonb_build_object(v_outcome, coalesce((outcomes->>v_outcome)::integer, 0) + 1);
    looked := looked + 1;
  end loop;
  ended := cardinality(v_page) < (p->>'limit')::integer;
  update reversal r set through = coalesce(v_page[cardinality(v_page)], r.through), ended_at = case when ended then v_now end
  where r.id = v_r.id;
  if ended then
    perform note_v1('reversal.ended', actor((p->>'principal')::integer),
      jsonb_build_object('reversal', v_r.id, 'outcomes', (
        select coalesce(jsonb_object_agg(x.outcome, x.n), '{}')
        from (select o.outcome, count(*) as n from reversal_action o where o.reversal = v_r.id group by 1) x)),
      null, null, null, null, 'reversal.ended:' || v_r.id, v_now);
  end if;
  return next;
end $$;
