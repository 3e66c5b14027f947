#!/usr/bin/env bash
# One training by torchrun, a process for each device of this machine, or of several machines.
#
#   scripts/torchrun.sh experiment=facades name=facades_all                         # all GPUs here
#   DEVICES=2 scripts/torchrun.sh trainer.accelerator=cpu data.size=64 name=small   # two processes on the CPU
#   NODES=2 MAIN=host1:29400 scripts/torchrun.sh experiment=facades name=facades_16 # the same words on both machines
#
# RESTARTS=3 starts the processes again when one dies, up to three times; they go on from the last checkpoint.
set -euo pipefail
export PYTHONSAFEPATH=1 # imports nothing from the current folder, as `pix2pix train`

python=${PYTHON:-python}
nodes=${NODES:-1}
devices=${DEVICES:-$("$python" -c 'import torch; print(max(1, torch.cuda.device_count()))')}
meeting=(--standalone)
if [ "$nodes" -gt 1 ]; then
    meeting=(--rdzv-backend=c10d --rdzv-endpoint="${MAIN:?give MAIN=HOST:PORT of the first machine}" --rdzv-id="${JOB:-pix2pix}")
fi

# A store of its own for each start: in a shared one the processes would look for those that died.
export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
exec "$python" -m torch.distributed.run "${meeting[@]}" --nnodes="$nodes" --nproc-per-node="$devices" \
    --max-restarts="${RESTARTS:-0}" -m pix2pix.cli train trainer=ddp trainer.devices="$devices" trainer.num_nodes="$nodes" "$@"
