"""Folders from which programs are seldom run, as regular expressions over an image's path (RE2 and Java alike)."""

from __future__ import annotations

# Every user may write there (FHS 3.0, sections 3.18, 5.15 and the Linux annex), and nothing is installed there.
TEMPORARY_FOLDER = "^(/private)?(/tmp/|/var/tmp/|/dev/shm/|/run/shm/|/dev/mqueue/|/run/lock/|/var/lock/)"
# In memory: what stands here leaves no trace on a disk, and builds do not use it.
MEMORY_FOLDER = "^(/dev/shm/|/run/shm/|/dev/mqueue/)"
# What unpacks, builds and tests in temporary folders, by the names those tools give their folders and programs.
BUILDER_FOLDER = (
    "^(/private)?(/tmp|/var/tmp)/([^/]+/)*("
    "go-build[0-9]*/|go-link-|gopls|gotest|rustdoctest|rustc[a-zA-Z0-9]|cargo-install|cargo-|"
    "pip-|pip_|build-env-|pytest-|nix-build-|nix-shell|guix-build|bazel|_bazel_|buck-|ninja-|meson-|cmake|CMakeFiles/|"
    "conftest|cmTC_|cc[A-Za-z0-9]{6}($|[.])|a[.]out$|npm-|npx-|yarn--|pnpm-|node-gyp|bun-node-|bunx-|deno-|uv-|_MEI|"
    "[.]mount_[A-Za-z0-9]|appimage|AppImage|squashfs-root/|selfgz[0-9]|makeself|mkinitramfs|dracut[.]|rpm-tmp|"
    "dpkg-|apt-|snap[.-]|snap-private-tmp/|systemd-private-|ansible|puppet|chef|vagrant|packer|jenkins|hudson|runner|"
    "gitlab-runner|buildkit|buildah|containers-|docker-|kaniko|hsperfdata|jna-|gradle|maven|kotlin|sbt|scala|bloop|"
    "R[a-z]{0,3}tmp|Rtmp|julia|conda|micromamba|mamba|virtualenv|venv|tox|nox|playwright|puppeteer|chromium|"
    "[.]org[.]chromium|[.]com[.]google|selenium|rust_mozprofile|mozrunner|vscode|clion|idea|dotnet|nuget|MSBuild|"
    "autopkgtest|debuild|sbuild|pbuilder|mock|koji|copr|ltp|stress-ng|kselftest|fuzz|afl|honggfuzz)"
)
# A component that begins with a dot, or is dots and blanks alone.
HIDDEN_FOLDER = "/[.][^/]*/"
# Hidden folders in homes that are tools' own; programs run from them on every developer's machine.
KNOWN_HIDDEN_FOLDER = (
    "/[.](local|cache|cargo|rustup|nvm|volta|fnm|pyenv|rbenv|rvm|asdf|sdkman|jenv|goenv|nodenv|go|gvm|bun|deno|npm|"
    "npm-global|yarn|pnpm|vscode|vscode-server|vscode-oss|vscode-insiders|cursor|cursor-server|windsurf|windsurf-server|"
    "vscodium|codeium|zed|jetbrains|JetBrains|idea|gradle|m2|sbt|ivy2|coursier|ghcup|stack|cabal|opam|elan|juliaup|julia|"
    "nix-profile|nix-defexpr|guix-profile|linuxbrew|conda|miniconda3|miniforge3|mambaforge|virtualenvs|venv|env|tox|nox|"
    "direnv|git|hg|svn|terraform|terraform[.]d|tfenv|pulumi|krew|kube|minikube|kind|docker|rd|colima|lima|vagrant[.]d|"
    "steam|wine|mozilla|thunderbird|config|dropbox-dist|dropbox|zoom|TelegramDesktop|var|foundry|dotnet|nuget|claude|"
    "platformio|arduino15|espressif|android|gem|bundle|poetry|pipx|uv|swiftly|swiftpm|crc|snapshots|build|next|output|"
    "aws|azure|gcloud|oh-my-zsh|fzf|rye|pixi|mise|proto|moon|turbo|nx|sonar|snyk|trivy|sdk|eclipse|p2|rustc|dapr|linkerd2|"
    "istioctl|fly|railway|supabase|ollama|lmstudio|pub-cache|fvm|flutter|tmp)/"
)
