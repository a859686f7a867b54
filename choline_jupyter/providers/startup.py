"""The script that a rented machine runs first: it takes the keys given to it and starts the watchdog.

Made by `session.renting` as part of an order. The watchdog is what ends a machine that nobody remembers (promise P2): it is
a shell loop that lives by itself, reads one number that the agent's supervisor writes (agent/watch.py: the second of
/proc/uptime at which the machine ends), and then runs the provider's own way to end this machine until it works. Before
anybody has connected the number is the first-contact deadline. No clock of day is asked, unless the machine was started
anew.
"""

from __future__ import annotations

import shlex

FOLDER = "/var/tmp/choline-watch"  # noqa: S108 - on the rented machine, which is ours alone
LONGEST = 4048  # characters that vast.ai takes (vast.ai documentation of `onstart`)

# An sshd that starts meanwhile must not find half a key: it would end. One that began before the key was there is told; one
# that has not written its pid yet would die of the signal.
_KEYS = """
mkdir -p /etc/ssh
k=/etc/ssh/ssh_host_ed25519_key
(umask 077; cat > $k.new <<'E'
{host_key}
E
)
ssh-keygen -y -f $k.new > $k.pub
mv $k.new $k
h=$(eval echo ~{user})
mkdir -p "$h/.ssh"
echo {public_key} >> "$h/.ssh/authorized_keys"
chown -R {user} "$h/.ssh"; chmod 700 "$h/.ssh"; chmod 600 "$h/.ssh/authorized_keys"
i=0
while [ $i -lt 20 ] && [ ! -s /run/sshd.pid ] && pgrep -x sshd > /dev/null; do sleep 0.5; i=$((i + 1)); done
p=$(cat /run/sshd.pid 2>/dev/null || pgrep -o -x sshd) && kill -HUP "$p"
"""

# `last`: boot id, second of /proc/uptime at which it ends whatever happens, the same by the clock of day.
_WATCH = """
d={folder}
mkdir -p $d; chmod 777 $d; rm -f $d/notice
cat > $d/watch <<'E'
d={folder}
up() {{ read -r s _ < /proc/uptime; echo ${{s%.*}}; }}
b=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null || echo -); n=$(up); t=$(date +%s)
[ -f $d/last ] || echo $b $((n + {deadline})) $((t + {deadline})) > $d/last
read -r k last wall < $d/last
if [ "$k" != "$b" ]; then
    left=$((wall - t)); [ $left -gt {deadline} ] && left={deadline}
    last=$((n + left)); echo $b $last $wall > $d/last
fi
end=$((n + {first})); echo $end > $d/end; chmod 666 $d/end
trap ': > $d/notice' TERM
while n=$(up); [ $n -lt $end ] && [ $n -lt $last ]; do
    sleep {period} & wait $!
    read -r e < $d/end; case "$e" in ''|*[!0-9]*) ;; *) end=$e;; esac
done
trap - TERM; : > $d/over
while :; do
{finish}
sleep 5
done
E
"""


def make_watchdog(first_contact: float, deadline: float, finish: str, period: int = 5) -> str:
    """Shell text that writes the watchdog to FOLDER/watch; who starts it is the caller's to say.

    `first_contact` and `deadline` are seconds from its start; `finish` ends the machine and is run again until it has.
    """
    return _WATCH.format(
        folder=FOLDER, first=int(first_contact), deadline=int(deadline), finish=finish, period=period
    )  # fmt: skip


def make_startup(
    host_key: str, public_key: str, watchdog: str, user: str = "root", *, limit: int = 0
) -> str:  # fmt: skip
    """The whole script for a machine that is reached by ssh; `watchdog` (may be empty) is from `make_watchdog`.

    Raises ValueError when it is longer than `limit` characters (0: no limit).
    """
    keys = _KEYS.format(host_key=host_key.strip(), public_key=shlex.quote(public_key.strip()), user=shlex.quote(user))
    start = f"\nsetsid sh {FOLDER}/watch > /dev/null 2>&1 < /dev/null &\n" if watchdog else ""
    script = f"#!/bin/sh\n{watchdog}{start}{keys}"
    if limit and len(script) > limit:
        raise ValueError(f"the startup script has {len(script)} characters; {limit} are allowed")
    return script
