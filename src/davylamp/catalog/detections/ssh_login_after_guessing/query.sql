-- Read again where it is needed, each time only the columns asked for: kept, it would fill the memory.
WITH attempt AS NOT MATERIALIZED (
    SELECT
        asset, coalesce(src_ip, src_host) AS source, CAST(epoch(time) AS BIGINT) AS at_s, time, status, user_name,
        user_known, auth_method, outcome_detail, path, line, frame, byte_offset,
        CASE WHEN status = 'success' THEN 1 ELSE 0 END AS entered
    FROM authentication
    WHERE service LIKE '%ssh%' AND time IS NOT NULL AND asset IS NOT NULL AND coalesce(src_ip, src_host) IS NOT NULL
),
active AS (
    SELECT source
    FROM attempt
    GROUP BY source
    HAVING max(entered) = 1 AND min(entered) = 0
),
weighed AS (
    SELECT
        a.*,
        CASE
            WHEN a.entered = 1 THEN 0.0
            WHEN a.auth_method IN ('publickey', 'hostbased', 'none') THEN 0.2
            WHEN a.user_name IS NULL THEN 0.5
            WHEN a.user_known = FALSE THEN 2.0
            WHEN a.user_name = 'root' THEN 1.5
            ELSE 1.0
        END AS weight
    FROM attempt AS a
    JOIN active AS c ON c.source = a.source
),
trusted AS (
    SELECT source, user_name, min(at_s) AS trusted_from_s
    FROM (
        SELECT
            source, user_name, at_s, entered,
            sum(weight) OVER (
                PARTITION BY source ORDER BY at_s, path, line, byte_offset
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS weight_before
        FROM weighed
    ) AS walked
    WHERE entered = 1 AND user_name IS NOT NULL AND weight_before < $minute_weight
    GROUP BY source, user_name
),
failed_only AS (
    SELECT source FROM attempt GROUP BY source HAVING max(entered) = 0
),
-- Without a source that failed and got in nobody asks for the others' names.
tried_pair AS (
    SELECT
        a.user_name, a.source,
        max(CASE WHEN a.auth_method IN ('publickey', 'hostbased', 'none') THEN 0 ELSE 1 END) AS guessed
    FROM attempt AS a
    JOIN failed_only AS f ON f.source = a.source
    CROSS JOIN (SELECT min(source) AS source FROM active HAVING min(source) IS NOT NULL) AS c
    WHERE a.user_name IS NOT NULL
    GROUP BY a.user_name, a.source
),
shared_name AS (
    SELECT user_name, sum(guessed) AS sharing_count
    FROM tried_pair
    GROUP BY user_name
    HAVING sum(guessed) >= $sharing_sources_count
),
campaign AS (
    SELECT count(DISTINCT p.source) AS campaign_sources
    FROM tried_pair AS p
    JOIN shared_name AS s ON s.user_name = p.user_name
),
spelled AS (
    SELECT
        a.*,
        CASE WHEN t.trusted_from_s < a.at_s AND a.entered = 0 THEN 0.1 ELSE a.weight END AS guess_weight,
        CASE WHEN a.entered = 0 AND s.user_name IS NOT NULL THEN 1 ELSE 0 END AS on_shared_name,
        sum(a.entered) OVER (
            PARTITION BY a.source ORDER BY a.at_s, a.path, a.line, a.byte_offset
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) - a.entered AS spell
    FROM weighed AS a
    LEFT JOIN trusted AS t ON t.source = a.source AND t.user_name = a.user_name
    LEFT JOIN shared_name AS s ON s.user_name = a.user_name
),
named AS (
    SELECT
        *,
        CASE WHEN entered = 0 AND user_name IS NOT NULL AND row_number() OVER (
            PARTITION BY source, spell, entered, user_name ORDER BY at_s, path, line
        ) = 1 THEN 1 ELSE 0 END AS new_name,
        at_s - lag(at_s) OVER (PARTITION BY source, spell ORDER BY at_s, path, line, byte_offset) AS gap_s,
        sum(entered) OVER (
            PARTITION BY source, asset, user_name ORDER BY at_s, path, line, byte_offset
            ROWS BETWEEN CURRENT ROW AND 5 FOLLOWING
        ) AS entered_of_six_count,
        lead(at_s, 5) OVER (PARTITION BY source, asset, user_name ORDER BY at_s, path, line, byte_offset) - at_s AS five_gaps_s,
        sum(guess_weight) OVER (
            PARTITION BY source, spell ORDER BY at_s RANGE BETWEEN 60 PRECEDING AND CURRENT ROW
        ) AS minute_weight,
        sum(guess_weight) OVER (
            PARTITION BY source, spell ORDER BY at_s RANGE BETWEEN 3600 PRECEDING AND CURRENT ROW
        ) AS hour_weight,
        sum(guess_weight) OVER (
            PARTITION BY source, spell ORDER BY at_s RANGE BETWEEN 86400 PRECEDING AND CURRENT ROW
        ) AS day_weight,
        sum(guess_weight) OVER (
            PARTITION BY source, spell ORDER BY at_s RANGE BETWEEN 604800 PRECEDING AND CURRENT ROW
        ) AS week_weight
    FROM spelled
),
spell_total AS (
    SELECT
        source, spell, sum(1 - entered) AS failures_count,
        count(DISTINCT CASE WHEN entered = 0 THEN asset END) AS tried_assets_count, sum(guess_weight) AS total_weight,
        sum(new_name) AS names_count,
        sum(CASE WHEN user_known = FALSE THEN new_name ELSE 0 END) AS unknown_names_count,
        sum(new_name * on_shared_name) AS shared_names_count,
        max(minute_weight) AS minute_weight, max(hour_weight) AS hour_weight, max(day_weight) AS day_weight,
        max(week_weight) AS week_weight, min(gap_s) AS least_gap_s, max(gap_s) AS most_gap_s,
        min(CASE WHEN entered = 0 THEN time END) AS failing_since,
        max(CASE WHEN entered = 0 AND (user_name IS NULL OR user_name = 'root' OR user_known = FALSE) THEN 1 ELSE 0 END)
            AS guessable
    FROM named
    GROUP BY source, spell
    HAVING max(entered) = 1 AND min(entered) = 0
),
tried AS (
    SELECT DISTINCT source, spell, user_name FROM named WHERE entered = 0
),
reach AS (
    SELECT source, user_name, count(DISTINCT asset) AS entered_assets_count
    FROM named
    WHERE entered = 1
    GROUP BY source, user_name
),
login AS (
    SELECT
        a.asset, a.source, a.user_name, a.auth_method, a.outcome_detail, a.at_s, a.time AS login_at, a.path, a.line, a.frame,
        a.byte_offset, s.spell, s.failures_count, s.tried_assets_count, s.total_weight, s.names_count, s.unknown_names_count,
        s.shared_names_count, s.minute_weight, s.hour_weight, s.day_weight, s.week_weight, s.failing_since, s.guessable,
        c.campaign_sources, w.entered_assets_count,
        -- A job that was let in at last goes on at its beat, who guessed does not.
        CASE WHEN s.least_gap_s >= $beat_s AND s.most_gap_s <= 1.25 * s.least_gap_s AND a.entered_of_six_count = 6
            AND a.five_gaps_s BETWEEN 5 * s.least_gap_s / 1.25 AND 5 * s.most_gap_s * 1.25
            THEN 1 ELSE 0 END AS on_a_beat,
        CASE WHEN r.trusted_from_s < a.at_s THEN 1 ELSE 0 END AS trusted,
        CASE WHEN n.source IS NOT NULL OR a.user_name IS NULL THEN 1 ELSE 0 END AS name_was_tried
    FROM named AS a
    JOIN spell_total AS s ON s.source = a.source AND s.spell = a.spell
    CROSS JOIN campaign AS c
    LEFT JOIN trusted AS r ON r.source = a.source AND r.user_name = a.user_name
    LEFT JOIN tried AS n ON n.source = a.source AND n.spell = a.spell AND n.user_name = a.user_name
    LEFT JOIN reach AS w ON w.source = a.source AND w.user_name = a.user_name
    WHERE a.entered = 1
),
judged AS (
    SELECT
        *,
        CASE
            WHEN minute_weight >= $minute_weight OR unknown_names_count >= $unknown_names
                OR hour_weight >= $one_account_hour_weight THEN 1
            WHEN (guessable = 1 OR names_count >= 2) AND (
                hour_weight >= $hour_weight OR day_weight >= $day_weight OR week_weight >= $week_weight
            ) THEN 1
            ELSE 0
        END AS after_burst,
        CASE WHEN campaign_sources >= $participants_count AND shared_names_count >= 2 THEN 1 ELSE 0 END AS in_campaign
    FROM login
),
suspect AS (
    SELECT
        *, row_number() OVER (
            PARTITION BY asset, source, user_name ORDER BY after_burst DESC, login_at, path, line
        ) AS choice
    FROM judged
    WHERE (trusted = 0 OR (unknown_names_count >= $unknown_names AND name_was_tried = 1))
        AND (after_burst = 1 OR in_campaign = 1 OR (names_count >= 2 AND unknown_names_count >= 1 AND failures_count >= 3))
),
-- Where else the guessed account then let the same source in: there it did not have to guess.
further AS (
    SELECT
        f.asset, s.source, s.user_name, f.auth_method, f.time AS login_at, s.failures_count, s.tried_assets_count, s.names_count,
        s.unknown_names_count, s.guessable, s.failing_since, s.after_burst, s.in_campaign, s.name_was_tried,
        s.on_a_beat, s.entered_assets_count, s.spell, s.asset AS guessed_asset, s.login_at AS guessed_at,
        row_number() OVER (
            PARTITION BY f.asset, s.source, s.user_name ORDER BY f.at_s, f.path, f.line, s.login_at, s.asset
        ) AS choice
    FROM suspect AS s
    JOIN named AS f ON f.source = s.source AND f.user_name = s.user_name
    LEFT JOIN suspect AS k
        ON k.asset = f.asset AND k.source = s.source AND k.user_name = s.user_name AND k.choice = 1
    WHERE s.choice = 1 AND f.entered = 1 AND f.asset <> s.asset AND k.asset IS NULL
        AND f.at_s >= s.at_s AND f.at_s < s.at_s + $further_s
),
told AS (
    SELECT
        asset, source, user_name, auth_method, login_at, failures_count, tried_assets_count, names_count,
        unknown_names_count, guessable, failing_since, after_burst, in_campaign, name_was_tried, on_a_beat,
        entered_assets_count,
        spell, CAST(NULL AS VARCHAR) AS guessed_asset, login_at AS guessed_at
    FROM suspect
    WHERE choice = 1
    UNION ALL
    SELECT
        asset, source, user_name, auth_method, login_at, failures_count, tried_assets_count, names_count,
        unknown_names_count, guessable, failing_since, after_burst, in_campaign, name_was_tried, on_a_beat,
        entered_assets_count,
        spell, guessed_asset, guessed_at
    FROM further
    WHERE choice = 1
),
cited AS (
    SELECT
        s.asset, s.source, s.user_name, s.auth_method, s.login_at, s.failures_count, s.tried_assets_count, s.names_count,
        s.unknown_names_count, s.guessable, s.failing_since, s.after_burst, s.in_campaign, s.name_was_tried,
        s.on_a_beat, s.entered_assets_count, s.guessed_asset, s.guessed_at,
        n.time, n.status, n.user_name AS tried_name, n.outcome_detail, n.asset AS tried_asset,
        n.path, n.line, n.frame, n.byte_offset,
        row_number() OVER (
            PARTITION BY s.asset, s.source, s.user_name ORDER BY n.entered DESC, n.at_s, n.path, n.line, n.byte_offset
        ) AS place
    FROM told AS s
    JOIN named AS n ON n.source = s.source
    WHERE n.spell = s.spell
        OR (n.entered = 1 AND n.asset = s.asset AND n.user_name = s.user_name AND n.time = s.login_at)
)
SELECT
    asset, source, user_name, auth_method, login_at, failures_count, tried_assets_count, names_count, unknown_names_count, guessable,
    failing_since, after_burst, in_campaign, name_was_tried, on_a_beat, entered_assets_count, guessed_asset, guessed_at,
    time, status, tried_name, outcome_detail, tried_asset,
    path, line, frame, byte_offset
FROM cited
WHERE place <= 50
