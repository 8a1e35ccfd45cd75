-- Follows judged.sql, for a column whose header does not say what it holds: its own numbers say it.
SELECT CASE
    WHEN is_other_metric
      THEN 'no CPU percentage: column `{label}` reaches ' || most_percent || '; its ' || samples_count
        || ' samples were left out'
    ELSE 'column `{label}` is taken for CPU percent: its header does not say what it holds'
  END AS note
FROM judged
