# SPDX-License-Identifier: GPL-3.0-or-later
"""What a log says about the machine: disks, memory, GPUs."""

from __future__ import annotations

from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.causes.row import Row

# To the end of a sentence, or where pydantic quotes what it was given.
_WORDS = r"(?:(?!\. Must be|\. ?(?:\[|$))[^\n\[]){1,200}"

MACHINE: tuple[Row, ...] = (
    # --- The pod's disks. /dev/shm first: a full one speaks of "device", too.
    Row(
        id="shm_small",
        signs=r"Insufficient space in /dev/shm|Bus error|unable to open shared memory object|posix_fallocate failed"
        r"|(?:creating shared memory segment|/dev/shm|psm_)[^\n]{0,200}No space left"
        r"|No space left[^\n]{0,60}/(?:dev/shm|psm_)"
        r"|died unexpectedly \(exit code: -7\)|Failed core proc\(s\): \{[^}\n]*: -7\b",
        sentence="the pod's /dev/shm is too small[: {needed} are needed, {free} are free]",
        cure="Mount a larger emptyDir of medium Memory at /dev/shm[: {needed} or more]",
        setting="shm size",
        facts=(r"(?P<needed>\d+ MiB) required, (?P<free>\d+ MiB) free",),
        serving=True,
    ),
    Row(
        id="disk_full",
        signs=r"No space left on device|\[Errno 28\]|os error 28|Disk quota exceeded|Not enough free disk space",
        sentence="a disk is full[: {path}][, {free} are free and {needed} are needed]",
        cure="Give the volume[ of {path}] more space, or the model's download a larger one",
        setting="cache size",
        facts=(
            r"expected file size is: (?P<needed>[\d.]+ MB)",
            r"target location (?P<path>\S+) only has (?P<free>[\d.]+ MB)",
            r"(?:No space left on device|Disk quota exceeded)[^\n]{0,20}: '(?P<path>[^']+)'",
        ),
        serving=True,
    ),
    # --- Does it fit?
    Row(
        id="max_len_too_big",
        signs=r"User-specified max_model_len \((?P<asked>\d+)\) is greater than the derived max_model_len"
        r"(?: \(\w+=(?P<limit>\d+))?",
        sentence="--max-model-len {asked} is more than the length that the model was made for[, {limit}]",
        cure="Lower --max-model-len[ to {limit}]",
        setting="--max-model-len",
    ),
    Row(
        id="kv_cache_too_small",
        signs=r"To serve at least one request with the models?'s max seq len"
        r"|max seq len \(\d+\) is larger than the maximum number of tokens that can be stored in KV cache",
        sentence="the KV cache does not fit[: {length} tokens need {needed}][, {free} is free]",
        cure="Lower --max-model-len[ to {limit}] or raise --gpu-memory-utilization",
        setting="--max-model-len",
        facts=(
            r"max seq len \((?P<length>\d+)\)",
            r"\((?P<needed>[\d.]+ Gi?B) KV cache is needed",
            r"available KV cache memory \((?P<free>[\d.]+ Gi?B)\)",
            r"estimated maximum model length is (?P<limit>\d+)",
            r"stored in KV cache \((?P<limit>\d+)\)",
        ),
    ),
    Row(
        id="kv_cache_none",
        signs="No available memory for the cache blocks|Cannot auto-fit max_model_len",
        sentence="the weights leave no GPU memory for the KV cache",
        cure="Raise --gpu-memory-utilization, or spread the model over more GPUs (--tensor-parallel-size)",
        setting="--gpu-memory-utilization",
    ),
    Row(
        id="gpu_busy",
        signs=r"Free memory on device [^\n]{1,200}is less than|Error in memory profiling",
        sentence="somebody else uses the GPU[: {free} of {total} GiB are free, {wanted} GiB are wanted]",
        cure="Find who shares the GPU, or lower --gpu-memory-utilization",
        setting="--gpu-memory-utilization",
        facts=(
            r"\((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\) on startup[^\n]{1,200}?\([\d.]+, (?P<wanted>[\d.]+) GiB\)",
        ),
        transient=True,  # the predecessor may still be ending
    ),
    Row(
        id="gpu_oom",
        signs=r"\btorch\.(?:cuda\.)?OutOfMemoryError|(?:CUDA|HIP) out of memory"
        r"|(?:CUDA|HIP)(?: driver)? [Ee]rror: out of memory|Cuda failure \d* ?'out of memory'"
        r"|CUBLAS_STATUS_ALLOC_FAILED",
        sentence="the GPU has too little memory[: {asked} were wanted][, {free} of {total} were free]",
        cure="Use more GPUs (--tensor-parallel-size) or a smaller or quantized model; if the weights were loaded "
        "already, lower --gpu-memory-utilization or --max-num-seqs",
        setting="--tensor-parallel-size",
        facts=(
            r"Tried to allocate (?P<asked>[\d.]+ [KMG]iB)",
            r"total capacity of (?P<total>[\d.]+ [KMG]iB) of which (?P<free>[\d.]+ [KMG]iB) is free",
        ),
        serving=True,
    ),
    # --- The GPUs. The driver first: torch warns of it and goes on as if there were no GPU.
    Row(
        id="tp_heads",
        signs=r"Total number of attention heads \((?P<heads>\d+)\) must be divisible by tensor parallel size"
        r"(?: \((?P<parallel>\d+)\))?",
        sentence="the model's {heads} attention heads cannot be divided among[ {parallel}] GPUs",
        cure="Set --tensor-parallel-size to a number that divides {heads}",
        setting="--tensor-parallel-size",
    ),
    Row(
        id="gpu_count",
        signs=r"World size \(\d+\) is larger than the number of available GPUs|invalid device ordinal"
        r"|required GPUs exceeds the total number of available"
        r"|less than max local gpu count|local[_ ]rank \d+ is out of bounds|Cannot provide a placement group",
        sentence="the server wants more GPUs[ ({wanted})] than the pod has[ ({available})]",
        cure="Let the pod request as many GPUs as --tensor-parallel-size needs[: {wanted}]",
        setting="--tensor-parallel-size",
        facts=(
            r"World size \((?P<wanted>\d+)\) is larger than the number of available GPUs \((?P<available>\d+)\)",
            r"tensor_parallel_size \((?P<wanted>\d+)\) to less than max local gpu count \((?P<available>\d+)\)",
            r"placement group requiring (?P<wanted>\d+) GPUs",
        ),
    ),
    Row(
        id="driver_too_old",
        signs=r"NVIDIA driver on your system is too old|CUDA driver version is insufficient"
        r"|provided PTX was compiled with an unsupported toolchain"
        r"|forward compatibility was attempted on non supported HW",
        sentence="the node's NVIDIA driver is too old for this image[ (it offers CUDA {major}.{minor})]",
        cure="Update the node's driver (580 or newer for CUDA 13), or use an image that was built for an older CUDA",
        setting="image tag",
        facts=(r"found version (?P<major>\d+)0(?P<minor>\d)0\b",),
    ),
    # Error 803 is not cured by a newer driver alone: the container brings libraries that shadow those of the node.
    Row(
        id="driver_too_old",
        signs=r"system has unsupported display driver",
        sentence="the CUDA libraries of the container do not fit the node's NVIDIA driver (CUDA error 803)",
        cure="Let the container use the node's libraries (no cuda-compat in LD_LIBRARY_PATH, "
        "VLLM_ENABLE_CUDA_COMPATIBILITY 0), or use an image for this driver",
        setting="image tag",
    ),
    Row(
        id="gpu_none",
        signs=r"Failed to infer device type|No (?:CUDA|HIP) GPUs are available|no CUDA-capable device is detected"
        r"|(?<!CUDA initialization: )Found no NVIDIA driver on your system|libcuda\.so\.1: cannot open shared object"
        r"|Device string must not be empty|Current node has no GPU available",
        sentence="the server sees no GPU",
        cure="Let the pod request a GPU, on a node where the device plugin and the NVIDIA runtime work",
        setting="gpus",
    ),
    Row(
        id="gpu_arch",
        signs=r"no kernel image is available for execution|only supported on GPUs with compute capability"
        r"|FlashAttention only supports Ampere GPUs or newer"
        r"|\bMin(?:imum)? capability: \d+|invalid device function|not supported in this architecture"
        r"|ptxas fatal\s+: Value 'sm_",
        sentence="this image cannot run this model or data type on the GPU[ {gpu}]"
        "[: it has compute capability {have}][: it has compute capability {major}.{minor}][, {needed} is needed]"
        "[, {more}.{less} is needed]",
        cure="Use another GPU (node selector), another --dtype or --quantization (--dtype half instead of bfloat16), "
        "or an image that was built for this GPU",
        setting="--dtype",
        facts=(
            r"capability of at least (?P<needed>[\d.]+\d)\. Your (?P<gpu>[^\n]{1,60}?) GPU",
            r"GPU has compute capability (?P<have>[\d.]+\d)",
            r"Min\w* capability: (?P<more>\d+)(?P<less>\d)\.\D{1,8}Current capability: (?P<major>\d+)(?P<minor>\d)\.",
            r"^\s*(?P<gpu>[^\n]{1,60}?) with CUDA capability sm_(?P<major>\d+)(?P<minor>\d) is not compatible",
        ),
    ),
    Row(
        id="gpu_fault",
        signs=r"\bXid\b|uncorrectable ECC error|GPU is lost|fallen off the bus|Driver/library version mismatch"
        r"|CUDA error: (?:an illegal memory access|device-side assert|unspecified launch failure|misaligned address"
        r"|unknown error|hardware stack error|CUDA-capable device\(s\) is/are busy)"
        r"|'an illegal memory access was encountered'|HIP error: an illegal|Memory access fault by GPU",
        sentence="the GPU or its driver failed[: {error}]",
        cure="Look for Xid in the node's kernel log; if the error follows the node, drain it, else report it to vLLM",
        facts=(
            r"CUDA error: (?P<error>[^\n\\]{1,100})",
            r"(?P<error>Memory access fault by GPU[^\n(]{0,20}[^\n( ])",
            r"(?P<error>[^\n:]{0,60}(?:ECC error|is lost|version mismatch))",
        ),
        transient=True,
        serving=True,
    ),
    # --- The quantization. Three cures: leaving --quantization out helps neither where vLLM has dropped the method nor
    # where the parts of the weights have become too small.
    Row(
        id="quantization",
        signs=r"no longer supports online quantization|The quantization method[^\n]{1,60}is deprecated",
        sentence="this vLLM does not take this --quantization any more[: {error}]",
        cure="Set --quantization to what the message names, or use a model that is quantized already",
        setting="--quantization",
        facts=(r"(?P<error>The `?\w+`? quantization method no longer supports[^\n]{1,160}? instead)",),
    ),
    Row(
        id="quantization",
        signs=r"not divisible by (?:weight quantization|min_thread|group_size)|not aligned with the quantized weight",
        sentence="the quantized weights cannot be divided among so many GPUs[: {error}]",
        cure="Lower --tensor-parallel-size",
        setting="--tensor-parallel-size",
        facts=(r"(?P<error>(?:The output_size|The (?:in|out)put size|Weight \w+)[^\n.]{1,160})",),
    ),
    Row(
        id="quantization",
        signs=r"Quantization method specified in the model config|Unknown quantization method"
        r"|Cannot find the config file for \w+|is not supported for quantization method",
        sentence="--quantization does not fit the model[: {error}]",
        cure="Leave --quantization out: vLLM reads it from the model",
        setting="--quantization",
        facts=(
            r"(?P<error>(?:Quantization method specified|Unknown quantization method|Cannot find the)" + _WORDS + ")",
            r"(?P<error>\S+ is not supported for quantization method \w+)",
        ),
    ),
)
