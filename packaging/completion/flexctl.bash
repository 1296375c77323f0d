# Completion of flexctl for bash 4 and later: the file is put where bash-completion(7) looks, usually
# /usr/share/bash-completion/completions/flexctl, or sourced from ~/.bashrc.

# _flexctl_values prints the values of an option, or fails if it takes a text of its own.
_flexctl_values() {
  case $1 in
    --billing) echo "ok overdue no-payment-method" ;;
    --prepaid) echo "off" ;;
    --maintenance) echo "on off" ;;
    --rate | --race-slots) echo "default" ;;
    --start-within) echo "default priority auto 00h-00m-30s" ;;
    --expires) echo "30d 90d 365d" ;;
    --since | --until) echo "1d 7d 30d" ;;
    --by) echo "org key day model provider asked served reason" ;;
    *) return 1 ;;
  esac
}

# _flexctl_words prints what may follow a command: its sub-commands or its options.
_flexctl_words() {
  local common="--store --master-key-file --json --help"
  case $1 in
    "") echo "init org key provider-key model usage rotate-master-key $common --version" ;;
    org) echo "create list show set credit" ;;
    key) echo "create list revoke deactivate activate check" ;;
    provider-key) echo "set list remove" ;;
    model) echo "set list" ;;
    "org set") echo "--billing --rate --race-slots --prepaid $common" ;;
    "org credit") echo "--add-usd $common" ;;
    "key create")
      echo "--name --expires --start-within --model --rpm --budget-requests --budget-usd" \
        "--native-parameters --management $common"
      ;;
    "model set") echo "--maintenance --retry-after $common" ;;
    usage) echo "--since --until --by --key $common" ;;
    *) echo "$common" ;;
  esac
}

_flexctl() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command="" arguments=0 word values i
  COMPREPLY=()
  if [[ $current == "=" ]]; then
    current=""
  elif [[ $previous == "=" ]]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  # The command so far, and how many arguments stand behind it.
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    case $word in
      --json | --help | --version | --management | --native-parameters) ;;
      -*)
        # Its value: the next word, or the one behind "=", which bash makes a word.
        [[ ${COMP_WORDS[i + 1]} == "=" ]] && ((i++))
        ((i++))
        ;;
      *)
        case $command in
          "") command=$word ;;
          org | key | provider-key | model) command+=" $word" ;;
          *) ((arguments++)) ;;
        esac
        ;;
    esac
  done
  case $previous in
    --store | --master-key-file)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
    --json | --help | --version | --management | --native-parameters) ;;
    -*)
      values=$(_flexctl_values "$previous") || return
      if [[ $previous == --by && $current == *,* ]]; then
        mapfile -t COMPREPLY < <(compgen -P "${current%,*}," -W "$values" -- "${current##*,}")
      else
        mapfile -t COMPREPLY < <(compgen -W "$values" -- "$current")
      fi
      return
      ;;
  esac
  values=$(_flexctl_words "$command")
  if [[ $current != -* ]]; then
    case $command:$arguments in
      "provider-key set:1" | "provider-key remove:1") values="openai gemini anthropic" ;;
      "org create:"* | "org show:"* | "org set:"* | "org credit:"* | key\ *:* | provider-key\ *:* | \
        "model set:"*)
        [[ $values == -* ]] && values=""
        ;;
    esac
  fi
  mapfile -t COMPREPLY < <(compgen -W "$values" -- "$current")
}

complete -F _flexctl flexctl
