// Rules of our own for images of running processes: words that a mining program needs, by kind.
// Each kind asks for several words, because one word is in every security tool and every block list; who carries
// three kinds is a miner, a pool, a proxy of one, or a program that looks for them.
// Sources: the dialogues (knowledge base, detection methods 2.2), and the published options of common programs.

// Lists of such words, rules and texts about mining are no programs.
global private rule program {
  condition:
    uint32(0) == 0x464c457f
}

rule mining_dialogue_words {
  meta:
    description = "words of stratum's dialogues"
  strings:
    $subscribe = "mining.subscribe"
    $authorize = "mining.authorize"
    $submit = "mining.submit"
    $notify = "mining.notify"
    $difficulty = "mining.set_difficulty"
    $target = "mining.set_target"
    $extranonce = "mining.extranonce.subscribe"
    $keepalive = "keepalived"
    $hashrate = "eth_submitHashrate"
    $work = "eth_submitWork"
    $job = "job_id"
    $seed = "seed_hash"
    $nicehash = "nicehash" nocase
  condition:
    5 of them
}

rule mining_pool_schemes {
  meta:
    description = "address schemes of pools"
  strings:
    $tcp = "stratum+tcp://"
    $ssl = "stratum+ssl://"
    $tls = "stratum+tls://"
    $udp = "stratum+udp://"
    $second = "stratum2+tcp://"
    $daemon = "daemon+http://"
    $socks = "socks5h://"
  condition:
    2 of ($tcp, $ssl, $tls, $udp, $second, $daemon) or (1 of ($tcp, $ssl) and $socks)
}

rule mining_algorithm_names {
  meta:
    description = "names of mining algorithms as programs spell them"
  strings:
    $randomx = "rx/0"
    $wownero = "rx/wow"
    $arqma = "rx/arq"
    $cryptonight = "cn/r"
    $light = "cn-lite/1"
    $heavy = "cn-heavy/0"
    $pico = "cn-pico"
    $argon = "argon2/chukwa"
    $kawpow = "kawpow" nocase
    $etchash = "etchash" nocase
    $autolykos = "autolykos" nocase
    $verus = "verushash" nocase
    $ghostrider = "ghostrider" nocase
    $astrobwt = "astrobwt" nocase
    $yescrypt = "yescrypt" nocase
    $lyra = "lyra2" nocase
  condition:
    5 of them
}

rule mining_program_options {
  meta:
    description = "options of mining programs"
  strings:
    $donate = "donate-level"
    $fee = "donate-over-proxy"
    $hint = "max-threads-hint"
    $mode = "randomx-mode"
    $registers = "randomx-wrmsr"
    $pages = "randomx-1gb-pages"
    $jit = "huge-pages-jit"
    $affinity = "cpu-affinity"
    $priority = "cpu-priority"
    $rig = "rig-id"
    $retry = "retry-pause"
    $coin = "--coin"
    $algorithm = "--algo"
    $wallet = "--wallet"
    $worker = "--worker"
  condition:
    5 of them
}

rule mining_progress_words {
  meta:
    description = "what mining programs say of their work"
  strings:
    $speed = "10s/60s/15m"
    $new_job = "new job from"
    $accepted = "accepted (%"
    $rejected = "rejected (%"
    $no_pool = "no active pools"
    $dataset = "init dataset"
    $scratchpad = "scratchpad"
    $hashrate = "hashrate" nocase
    $vardiff = "vardiff" nocase
    $share = "share accepted" nocase
    $stale = "stale share" nocase
  condition:
    4 of them
}
