-- Follows judged.sql: an idle machine's percentages look like ratios, and only the reader can tell.
SELECT 'no sample' || coalesce(' of ' || series, '') || ' exceeds 1: taken for percent; ratios of 0 to 1 would be read a hundred '
  || 'times too low' AS note
FROM judged
WHERE TRY_CAST(most_percent AS DOUBLE) <= 1
ORDER BY note
LIMIT 5
