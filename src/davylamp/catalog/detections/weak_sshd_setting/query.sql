-- What sshd was told, and whether root has a password; the judge reads them together. Options of a server with a
-- configuration of its own are named by it: `[sshd -f /opt/ssh.conf] permitrootlogin`.
WITH setting AS (
    SELECT
        asset, time, kind, regexp_extract(name, '^.(sshd .*)] ', 1) AS server,
        regexp_replace(name, '^.sshd .*] ', '') AS name, value, file_path, file_line, path, line, frame,
        byte_offset
    FROM host_setting
    WHERE asset IS NOT NULL AND value IS NOT NULL AND (kind = 'sshd_option' OR (kind = 'user_account' AND name = 'root'))
)
SELECT asset, time, kind, server, name, value, file_path, file_line, path, line, frame, byte_offset
FROM setting
WHERE kind = 'user_account'
    OR name IN (
        'permitrootlogin', 'passwordauthentication', 'permitemptypasswords', 'kbdinteractiveauthentication',
        'challengeresponseauthentication', 'usepam', 'authenticationmethods', 'protocol', 'hostbasedauthentication',
        'ignorerhosts', 'match: permitrootlogin', 'match: passwordauthentication', 'match: permitemptypasswords'
    )
