-- What sshd was told, and whether root has a password; the judge reads them together.
SELECT asset, time, kind, name, value, file_path, file_line, path, line, frame, byte_offset
FROM host_setting
WHERE asset IS NOT NULL
    AND value IS NOT NULL
    AND (
        (
            kind = 'sshd_option'
            AND name IN (
                'permitrootlogin', 'passwordauthentication', 'permitemptypasswords', 'kbdinteractiveauthentication',
                'challengeresponseauthentication', 'usepam', 'authenticationmethods', 'protocol',
                'hostbasedauthentication', 'ignorerhosts', 'match: permitrootlogin', 'match: passwordauthentication',
                'match: permitemptypasswords'
            )
        )
        OR (kind = 'user_account' AND name = 'root')
    )
