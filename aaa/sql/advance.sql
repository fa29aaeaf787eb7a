-- A counter of 64 bits from its two halves, as RFC 2869 section 5.1 splits it; NULL for one that is absent, or higher
-- than any line can count (2^56, ten gigabits for two years): what a faulty NAS sends must not become an error, since
-- the NAS would repeat the packet for ever.
CREATE FUNCTION aaa_octets(low text, high text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN low = '' THEN NULL
        WHEN high = '' THEN low::bigint
        WHEN high::bigint < 16777216 THEN low::bigint + (high::bigint << 32)
    END
$$;

-- The sum of a counter after one more report of it. `last` is the counter as last taken, `sum` all it has counted,
-- `age` how much older the session is in this report than in that one, in seconds: negative for a report that comes
-- late. A counter that fell has started anew where the NAS sends Gigawords, and else passed 2^32 once (RFC 2866
-- counters have 32 bits, RFC 2869 section 5.1 adds the upper ones).
--
-- Never falls, and a report that comes twice, or late, adds nothing twice: a late one whose counter is above the newer
-- one's shows that it started anew in between, and the sum is at least that much.
CREATE FUNCTION aaa_advance(sum bigint, last bigint, reported bigint, age bigint, gigawords boolean) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN reported IS NULL THEN sum
        WHEN age >= 0 AND reported >= last THEN sum + reported - last
        WHEN age > 0 AND (gigawords OR last >= 4294967296) THEN sum + reported
        WHEN age > 0 THEN sum + reported + 4294967296 - last
        WHEN age < 0 AND reported > last
        THEN greatest(sum, last + CASE WHEN gigawords OR reported >= 4294967296 THEN reported ELSE 4294967296 END)
        ELSE sum
    END
$$;

-- The counter as last taken, after one more report of it.
CREATE FUNCTION aaa_taken(last bigint, reported bigint, age bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN age > 0 THEN coalesce(reported, last) WHEN age = 0 THEN greatest(last, reported) ELSE last END
$$;
