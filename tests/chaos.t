#!/bin/sh
# SPDX-License-Identifier: ISC
# Faults of every kind, injected at random: nothing is lost, and the record is
# true. tests/chaos/chaos.py says how. "make chaos N=1000 SEED=7" runs more.
. "$(dirname "$0")/lib.sh"

usual=32
[ -z "${WHK_TEST_SLOW:-}" ] || usual=16
number=${WHK_TEST_FAULTS:-$usual}
seed=${WHK_TEST_SEED:-$(date +%s)}
start_postgres

# What restarts PostgreSQL: this shell does, told through two pipes.
mkfifo "$T/ask" "$T/told"
cat >"$T/chaos-pg" <<'END'
#!/bin/sh
echo "$@" >"$T/ask"
read -r reply <"$T/told"
[ "$reply" = done ]
END
chmod +x "$T/chaos-pg"
export T CHAOS_PG="$T/chaos-pg"

python3 "$TOP/tests/chaos/chaos.py" -s "$seed" -n "$number" >"$T/out" \
	2>"$T/err" &
chaos=$!
{ while ! ended "$chaos"; do pause; done; echo end >"$T/ask"; } &
while read -r what how <"$T/ask"; do
	case $what in
	stop) stop_postgres "$how" ;;
	start) restart_postgres ;;
	*) break ;;
	esac
	echo "done" >"$T/told"
done
wait "$chaos"
status=$?
sed 's/^/# /' "$T/out"
status_is 0 "$number faults, seed $seed"

done_testing
