-- Words only, no quotes: a cast of bytes to text escapes quotes in one engine and not in another.
-- A hash alone is the push of Ethereum work; `u00[2-7]` lets JSON's own escapes of letters pass.
SELECT
    asset,
    peer_asset,
    time,
    end_time,
    src_ip,
    src_port,
    dst_ip,
    dst_port,
    payload_out,
    payload_in,
    process_pid,
    process_started_at,
    process_name,
    path,
    line,
    frame,
    byte_offset
FROM network_activity
WHERE (
        payload_out IS NOT NULL
    AND regexp_matches(
            lower(CAST(payload_out AS VARCHAR)),
            'mining[.]|eth_|getwork|getblocktemplate|submitblock|job_id|nonce|blob|login|submit|u00[2-7]|0x[0-9a-f]{64}'
        )
      )
   OR (
        payload_in IS NOT NULL
    AND regexp_matches(
            lower(CAST(payload_in AS VARCHAR)),
            'mining[.]|eth_|getwork|getblocktemplate|submitblock|job_id|nonce|blob|login|submit|u00[2-7]|0x[0-9a-f]{64}'
        )
      )
-- Connections that begin at one instant are told in the order of the evidence, whatever engine answers.
ORDER BY time, path, line, frame, byte_offset
