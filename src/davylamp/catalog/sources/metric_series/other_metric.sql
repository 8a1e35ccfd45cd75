-- Follows judged.sql, for a column whose header does not say what it holds: its own numbers say it.
SELECT CASE
    WHEN is_other_metric
      THEN 'no CPU percentage: column `' || coalesce(series, '{label}') || '` reaches ' || most_percent || '; its '
        || samples_count || ' samples were left out'
    ELSE 'column `' || coalesce(series, '{label}') || '` is taken for CPU percent: its header does not say '
      || 'what it holds'
      || CASE WHEN TRY_CAST(most_percent AS DOUBLE) <= 1
        THEN '; no sample exceeds 1, and ratios of 0 to 1 would be read a hundred times too low' ELSE '' END
  END AS note
FROM judged
ORDER BY note
