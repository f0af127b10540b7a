#!/bin/sh
# Stands in for the mail transfer agent: speaks SMTP on its standard input, keeps what it is given with its envelope,
# and hands what is for a mailbox of this server to LMTP, before it answers.
answer() { printf '%s\r\n' "$1"; }
cr=$(printf '\r')
answer '220 sandbox'
while IFS= read -r line; do
  line=${line%"$cr"}
  case $line in
    [Ee][Hh][Ll][Oo]*|[Hh][Ee][Ll][Oo]*|[Rr][Ss][Ee][Tt]*) to=; answer '250 sandbox' ;;
    [Mm][Aa][Ii][Ll]*) from=${line#*<}; from=${from%%>*}; to=; answer '250 ok' ;;
    [Rr][Cc][Pp][Tt]*) address=${line#*<}; to="$to ${address%%>*}"; answer '250 ok' ;;
    [Dd][Aa][Tt][Aa]*)
      answer '354 go on'
      id=$(date +%s%N).$$
      while IFS= read -r text; do
        text=${text%"$cr"}
        [ "$text" = . ] && break
        printf '%s\r\n' "${text#.}"
      done > "@FOLDER@/outgoing/tmp.$id"
      failed=
      for address in $to; do
        case $address in
          *@@MAILED@) @BIN@/deliver -C @FOLDER@/imapd.conf "${address%@*}" < "@FOLDER@/outgoing/tmp.$id" >&2 || failed=1 ;;
        esac
      done
      { printf '%s%s\n' "$from" "$to"; cat "@FOLDER@/outgoing/tmp.$id"; } > "@FOLDER@/outgoing/new.$id"
      rm "@FOLDER@/outgoing/tmp.$id"; mv "@FOLDER@/outgoing/new.$id" "@FOLDER@/outgoing/$id"
      if [ -n "$failed" ]; then answer '451 not delivered'; else answer '250 ok'; fi ;;
    [Qq][Uu][Ii][Tt]*) answer '221 bye'; exit 0 ;;
    *) answer '250 ok' ;;
  esac
done
