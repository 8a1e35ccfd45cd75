SELECT
    started AS time,
    lower(CASE WHEN length(query) > 1 THEN rtrim(query, '.') ELSE query END) AS query_name,
    qtype_name AS query_type,
    answers,
    rcode_name AS rcode,
    resp_h AS resolver_ip,
    TRY_CAST(resp_p AS INTEGER) AS resolver_port,
    lower(proto) AS protocol,
    orig_h AS src_ip,
    TRY_CAST(orig_p AS INTEGER) AS src_port,
    line,
    byte_offset,
    reject
FROM stamped
