"""completion: print the script that lets a shell complete command lines of envctl."""

from __future__ import annotations

from typing import Annotated, Final

from envctl.cli.declare import Argument, without_spec
from envctl.cli.invocation import Invocation
from envctl.errors import UsageError

_BASH: Final = r"""# Completion of envctl for bash: source <(envctl completion bash)
_envctl_completion() {
    local line="${COMP_LINE:0:COMP_POINT}" words word mark prefix=
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=('')
    word="${words[${#words[@]}-1]}"
    local IFS=$'\n'
    COMPREPLY=($(COMP_WORDS="$line" COMP_CWORD=$((${#words[@]} - 1)) _ENVCTL_COMPLETE=complete_bash "$1" 2>/dev/null))
    # readline replaces what stands behind the last of these characters only.
    for mark in @ = :; do
        if [[ $COMP_WORDBREAKS == *"$mark"* && $word == *"$mark"* ]]; then
            local part="${word%"$mark"*}$mark"
            ((${#part} > ${#prefix})) && prefix="$part"
        fi
    done
    COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
    [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace
    return 0
}
complete -o default -F _envctl_completion envctl
"""


_ZSH: Final = """#compdef envctl
# Completion of envctl for zsh: source <(envctl completion zsh), after compinit
_envctl_completion() {
    eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _ENVCTL_COMPLETE=complete_zsh envctl 2>/dev/null)
}
compdef _envctl_completion envctl
"""
_FISH: Final = """# Completion of envctl for fish: envctl completion fish | source
function _envctl_complete
    env _ENVCTL_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=$argv[1] _TYPER_COMPLETE_ARGS=(commandline -cp) envctl 2>/dev/null
end
complete --command envctl --no-files --arguments "(_envctl_complete get-args)" --condition "_envctl_complete is-args"
"""
_SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def _complete_shell(*_: object) -> tuple[str, ...]:
    return tuple(_SCRIPTS)


@without_spec
def completion(
    invocation: Invocation,
    shell: Annotated[str, Argument("SHELL", "bash, zsh or fish.", _complete_shell)],
) -> None:
    """Print the completion script for a shell.

    Nothing else is changed: add the line that loads it to your shell's configuration. For bash it is
    `source <(envctl completion bash)` in ~/.bashrc; for zsh `source <(envctl completion zsh)` in ~/.zshrc, after compinit;
    for fish `envctl completion fish | source` in ~/.config/fish/config.fish.

    Examples:
        envctl completion bash
        envctl completion fish > envctl.fish
    """
    if shell not in _SCRIPTS:
        raise UsageError(f"no completion for {shell!r}", hint=f"there is {', '.join(_SCRIPTS)}")
    invocation.out.text(_SCRIPTS[shell])
