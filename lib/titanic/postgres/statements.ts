/** The statements of a store, each one a transaction of its own. The database's clock decides everything. */
export interface Statements {
  readonly accept: string;
  readonly acceptKeyless: string;
  readonly known: string;
  readonly claim: string;
  readonly bury: string;
  readonly renew: string;
  readonly complete: string;
  readonly release: string;
  readonly reply: string;
  readonly close: string;
  readonly deadLetters: string;
  readonly retry: string;
  readonly queues: string;
  readonly over: string;
  readonly stats: string;
  readonly expire: string;
  readonly forget: string;
  readonly forgetKeys: string;
}

/** A request as a claim finds it: leased, or, with the state `d`, dead. */
export interface ClaimedRow {
  readonly id: string;
  readonly state: "p" | "d";
  readonly token: string;
  readonly attempts: number;
  readonly error: string | null;
  readonly body: Uint8Array;
}

/** A request as its owner may read it. */
export interface StateRow {
  readonly state: "p" | "r" | "d";
  readonly error: string | null;
  /** Of replies only. */
  readonly body: Uint8Array | null;
}

/** A dead request. */
export interface LetterRow {
  readonly id: string;
  readonly sequence: string;
  readonly service: string;
  readonly owner: string;
  readonly body: Uint8Array;
  readonly attempts: number;
  readonly error: string | null;
  /** Microseconds since 1970, as a number: exact for some centuries. */
  readonly died: number;
}

/** A service with pending requests. */
export interface QueueRow {
  readonly service: string;
  readonly due: boolean;
  readonly wait: number | null;
}

/** How many rows a sweep ends at once. */
const sweepChunk = 500;

const milliseconds = (parameter: string): string =>
  `${parameter}::double precision * interval '1 millisecond'`;

/** The statements for a schema, whose name is quoted. */
export function statementsFor(schema: string): Statements {
  const [requests, keys] = [`${schema}.requests`, `${schema}.keys`];
  const causeOr = (reason: string) => `concat_ws(': ', ${reason}, error)`;
  return {
    accept: `
      with input as (
        select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[],
          $6::double precision[], $7::bytea[]) with ordinality
          as input (id, service, owner, name, fingerprint, time_to_live, body, place)
      ), fresh as (
        insert into ${keys} (name, id, fingerprint)
        select sha256(convert_to(name, 'UTF8')), id, fingerprint from input
        where name is not null order by 1
        on conflict do nothing returning id
      )
      insert into ${requests} (id, service, owner, name, time_to_live, expires, body)
      select id, service, owner, sha256(convert_to(name, 'UTF8')), time_to_live,
        now() + ${milliseconds("time_to_live")}, body
      from input where name is null or id in (select id from fresh)
      order by place returning id`,
    acceptKeyless: `
      insert into ${requests} (id, service, owner, time_to_live, expires, body)
      select id, service, owner, time_to_live, now() + ${milliseconds("time_to_live")}, body
      from unnest($1::uuid[], $2::text[], $3::text[], $4::double precision[], $5::bytea[])
        as input (id, service, owner, time_to_live, body)`,
    known: `
      select text, id, fingerprint from (select distinct unnest($1::text[]) as text) as input
      join ${keys} on name = sha256(convert_to(text, 'UTF8'))`,
    claim: `
      with due as (
        select id, due, sequence, attempts >= $4::integer or coalesce(expires <= now(), false) as over
        from ${requests} where state = 'p' and service = $1 and due <= now()
        order by due, sequence limit $2::integer for update skip locked
      ), taken as (
        update ${requests} as request set
          state = case when over then 'd' else 'p' end::"char",
          due = case when over then request.due else now() + ${milliseconds("$3")} end,
          leased = not over,
          token = token + 1,
          attempts = attempts + (not over)::integer,
          max_attempts = $4::integer,
          error = case when not over then error
            when attempts >= $4::integer
              then ${causeOr("attempts || ' attempts were used up'")}
            else ${causeOr("'its time to live was over'")} end,
          died = case when over then now() end,
          until = case when over then now() + ${milliseconds("$5")} end
        from due where request.id = due.id
        returning request.id, state, token, attempts, error, body, due.due, due.sequence
      )
      select id, state, token, attempts, error, body from taken order by due, sequence`,
    bury: `
      update ${requests} set state = 'd', leased = false, error = 'its record was found damaged',
        died = now(), until = now() + ${milliseconds("$2")}
      where id = $1 and state = 'p'`,
    renew: `
      update ${requests} set due = now() + ${milliseconds("$3")}
      where id = $1 and token = $2::bigint and state = 'p' and leased returning id`,
    complete: `
      with input as (
        select * from unnest($1::uuid[], $2::bigint[], $3::bytea[]) as input (id, token, body)
      ), locked as (
        select request.id, request.token, request.state, request.leased
        from ${requests} as request where id in (select id from input) order by id for update
      ), stored as (
        update ${requests} as request set state = 'r', leased = false, body = input.body,
          error = null, until = now() + ${milliseconds("$4")}
        from input join locked using (id, token)
        where request.id = input.id and locked.state = 'p' and locked.leased
        returning request.id, request.token
      )
      select id, token, 'stored' as outcome from stored
      union all
      select id, token, 'already' from input join locked using (id, token) where locked.state = 'r'`,
    release: `
      update ${requests} set
        state = case when over then 'd' else 'p' end::"char",
        attempts = attempts - $6::boolean::integer,
        leased = false,
        due = now() + ${milliseconds("$3")},
        error = $4::text,
        died = case when over then now() end,
        until = case when over then now() + ${milliseconds("$7")} end
      from (
        select id, $5::boolean or attempts - $6::boolean::integer >= max_attempts
          or coalesce(expires <= now(), false) as over
        from ${requests} where id = $1 and token = $2::bigint and state = 'p' and leased for update
      ) as held
      where ${requests}.id = held.id returning state, service`,
    reply: `
      select state, error, case when state = 'r' then body end as body from ${requests}
      where id = $1 and (owner = '' or owner = $2)`,
    close: `
      with gone as (
        delete from ${requests} where id = $1 and (owner = '' or owner = $2) returning id, name
      ), kept as (
        update ${keys} set until = now() + ${milliseconds("$3")}
        where name in (select name from gone)
      )
      select id from gone`,
    deadLetters: `
      select id, sequence, service, owner, body, attempts, error, micros as died from (
        select *, (extract(epoch from died) * 1000000)::double precision as micros from ${requests}
        where state = 'd'
      ) as dead
      where died >= to_timestamp($1::double precision / 1000000) - interval '1 second'
        and (micros, sequence) > ($1::double precision, $2::bigint)
      order by died, sequence limit $3::integer`,
    retry: `
      update ${requests} set state = 'p', attempts = 0, error = null, died = null, until = null,
        leased = false, due = now(), expires = now() + ${milliseconds("time_to_live")}
      where id = $1 and state = 'd' and error <> 'its record was found damaged' returning service`,
    // One step down the index for each service, however many requests they have.
    queues: `
      with recursive queue as (
        (select service from ${requests} where state = 'p' order by service limit 1)
        union all
        select (select service from ${requests} where state = 'p' and service > queue.service
          order by service limit 1) from queue where queue.service is not null
      )
      select service,
        exists (select from ${requests} as request
          where state = 'p' and request.service = queue.service and due <= now()) as due,
        (select extract(epoch from min(due) - now())::double precision * 1000
          from ${requests} as request
          where state = 'p' and request.service = queue.service and due > now()) as wait
      from queue where service is not null`,
    over: `
      select id from unnest($1::uuid[]) as id
      where not exists (select from ${requests} as request
        where request.id = id.id and state = 'p')`,
    stats: `
      select count(*) filter (where state = 'p')::integer as pending,
        count(*) filter (where state = 'p' and leased and due > now())::integer as leased,
        count(*) filter (where state = 'r')::integer as replied,
        count(*) filter (where state = 'd')::integer as dead
      from ${requests}`,
    expire: `
      update ${requests} set state = 'd', leased = false, died = now(),
        error = ${causeOr("'its time to live was over'")}, until = now() + ${milliseconds("$1")}
      where id in (
        select id from ${requests} where state = 'p' and expires <= now()
          and (not leased or due <= now()) limit ${sweepChunk} for update skip locked
      ) returning id, service, error`,
    forget: `
      with gone as (
        delete from ${requests} where id in (
          select id from ${requests} where until <= now() limit ${sweepChunk} for update skip locked
        ) returning name
      )
      update ${keys} set until = now() + ${milliseconds("$1")}
      where name in (select name from gone)`,
    forgetKeys: `
      delete from ${keys} where name in (
        select name from ${keys} where until <= now() limit ${sweepChunk} for update skip locked
      )`,
  };
}
