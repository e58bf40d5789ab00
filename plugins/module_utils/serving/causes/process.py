# SPDX-License-Identifier: GPL-3.0-or-later
"""What a log says about the process: its surroundings, its command line, and who ended it."""

from __future__ import annotations

from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.causes.row import Row

GENERIC, KILLED_WHILE_LOADING = "generic", "killed_while_loading"

# An exception that says more than that something else went wrong before.
_ROOT = (
    r"^(?P<error>(?!BrokenPipe|SystemExit|[^\n]*(?:initialization failed|failed to start|EngineDeadError"
    r"|ValidationError))[\w.]*(?:Error|Exception|Interrupt|Timeout|OutOfResources): (?!cancelled$)[^\n]{1,300})"
)
_PYDANTIC = r"validation errors? for \w+\n(?:\w[^\n]*\n)? +(?:(?:Value|Assertion) (?:error|failed), )?"

# What settings are too large for, where no configuration class checks them.
_TOO_LARGE = (
    r"(?:(?:max_num_batched_tokens|max_lora_rank|max_tokens_per_mm_item|max_num_seqs) \(\d+\)"
    r" (?:is smaller|is larger|must be|exceeds available)"
    r"|LoRA rank \d+ is greater than max_lora_rank \d+|GPU memory utilization must be less than|Too large swap space)"
)

PROCESS: tuple[Row, ...] = (
    # --- What surrounds it.
    Row(
        id="vllm_port_env",
        signs=r"VLLM_PORT '(?P<value>[^']*)' (?:appears to be a URI|must be a valid integer)"
        r"|invalid literal for int\(\) with base 10: '(?:tcp|udp)://",
        sentence="Kubernetes has set VLLM_PORT to {value}, because a Service is called vllm",
        cure="Set enableServiceLinks to false in the pod, or rename that Service",
        setting="extra environment",
        facts=(r"with base 10: '(?P<value>(?:tcp|udp)://[^']*)'",),
    ),
    Row(
        id="no_tmp",
        signs=r"No usable temporary directory found",
        sentence="there is no directory for temporary files that the server may write to",
        cure="Mount an emptyDir at /tmp, or point TMPDIR at a volume that it may write to",
        setting="volumes",
    ),
    Row(
        id="uid_unknown",
        signs=r"getpwuid\(\): uid not found(?:: (?P<uid>\d+))?",
        sentence="the image has no user[ {uid}]",
        cure="Set HOME, USER and LOGNAME in the container's environment, or run as the image's own user (2000)",
        setting="security context",
    ),
    Row(
        id="cache_not_writable",
        signs=r"\[Errno 30\] Read-only file system|PermissionError at \S+ when downloading"
        r"|PermissionError: \[Errno 13\][^\n]*(?:cache|/\.\w|'/root\b|'/home/|/models--)"
        r"|FileNotFoundError: \[Errno 2\][^\n]*(?:cache|/\.\w)",
        sentence="the server may not write[ to {path}]",
        cure="Mount a volume there that its user may write to, or point HOME and VLLM_CACHE_ROOT at one",
        setting="volumes",
        facts=(
            r"\[Errno 30\][^\n']*'(?P<path>[^'\n]+)'",
            r"\[Errno (?:2|13)\][^\n']*'(?P<path>[^'\n]*(?:cache|/\.\w|/root\b|/home/|/models--)[^'\n]*)'",
            r"PermissionError at (?P<path>/\S+)",
        ),
    ),
    Row(
        id="port_in_use",
        signs=r"\[Errno 98\][^\n]*[Aa]ddress already in use|EADDRINUSE|ZMQError: Address already in use",
        sentence="another process of the pod or node listens on the port[ {port}] already",
        cure="Give the server another --port, or end the other one (a second container, hostNetwork)",
        setting="--port",
        facts=(r"bind on address \('[^']*', (?P<port>\d+)\)", r"listen on [^\n]{0,60}port: (?P<port>\d+)"),
        serving=True,  # older servers bind their port only when they have started
    ),
    # --- What it was told.
    # A flag that this version has, with a value that it does not take.
    Row(
        id="bad_flag",
        signs=r"^[^\n]{0,60}\berror: "
        r"(?P<error>argument (?P<flag>--[\w-]+)[^\s:]*: (?:invalid|expected|Value )[^\n]{1,200})",
        sentence="vLLM does not take its command line: {error}",
        cure="Correct the value of {flag}",
        setting="{flag}",
    ),
    Row(
        id="bad_flag",
        signs=r"^[^\n]{0,60}\berror: (?:unrecognized arguments|ambiguous option|argument \S+: "
        r"|the following arguments are required|one of the arguments)",
        sentence="vLLM does not take its command line[: {error}]",
        cure="Correct or remove[ {flag}]: which flags there are differs from version to version",
        setting="[{flag}]",
        facts=(
            r"error: (?P<error>unrecognized arguments: (?P<flag>[^\s=]+))",
            r"error: (?P<error>argument (?P<flag>--[\w-]+)[^\n]{1,200})",
            r"error: (?P<error>[^\n]{1,200})",
        ),
    ),
    Row(
        id="bad_value",
        signs=r"invalid (?:tool call|reasoning) parser|\bError: --[\w-]+ (?:requires|must)"
        r"|validation errors? for (?!ModelConfig|VllmConfig)\w*(?:Config|Args)\b"
        r"|" + _TOO_LARGE + r"|appears path-like, but doesn't exist|Invalid value '[^'\n]*' for VLLM_",
        sentence="vLLM does not take its settings[: {error}][ ({flag} is {value})]",
        cure="Correct the setting[ {flag}]",
        setting="[{flag}]",
        facts=(
            r"(?P<error>invalid (?P<field>tool call parser|reasoning parser): \S+)",
            r"(?P<error>(?P<flag>--[\w-]+) (?:requires|must)[^\n]{1,200})",
            r"validation errors? for \w+\n(?P<field>[a-z]\w*)\n",
            _PYDANTIC + r"(?P<error>[^\n\[]{1,300}[^\s\[])",
            r"\[type=\w+, input_value=(?P<value>[\w.'+-]{1,40}),",
            r"(?P<error>" + _TOO_LARGE + r"(?:(?!\.\s|\.$)[^\n]){0,100})",
            r"(?:^\w*Error: |Value error, )(?P<field>max_num_\w+|max_lora_rank) \(",
            r"rank \d+ is greater than (?P<field>max_lora_rank)",
            r"(?P<error>The supplied chat template[^\n!]{1,200})",
            r"(?P<error>Invalid value '[^'\n]*' for VLLM_\w+)",
        ),
    ),
    Row(
        id="unknown_env",
        signs=r"rror[:,] Unknown vLLM environment variable detected: (?P<name>\w+)",
        sentence="vLLM does not know the environment variable {name}",
        cure="Correct or remove {name}: names that begin with VLLM_ are vLLM's own",
        setting="extra environment",
    ),
    # --- Who ended it.
    Row(
        id="startup_timeout",
        signs=r"Timed out waiting for (?:engine core processes to start|engines to send initial message)",
        sentence="the engine was not ready in time[: vLLM waited {seconds} s]",
        cure="Raise VLLM_ENGINE_READY_TIMEOUT_S[ above {seconds}] to what the startup probe allows",
        setting="extra environment",
        facts=(r"Waited (?P<seconds>\d+)",),
        transient=True,
    ),
    Row(
        id=KILLED_WHILE_LOADING,
        signs=r"KeyboardInterrupt: (?:MQLLMEngine )?terminated",
        sentence="the server was told to stop while it loaded: by its startup or liveness probe, or with its pod",
        cure="If nobody deleted the pod, raise the startup probe's failureThreshold",
        setting="startup probe",
        transient=True,
    ),
    Row(
        id="worker_killed",
        signs=r"[Ww]orker (?:proc )?\S+(?: pid \d+)? died(?: unexpectedly)?[^\n]{0,20}exit code: -9\b"
        r"|Failed core proc\(s\): \{'\w+': -9(?:, '\w+': -9)*\}|Task was killed due to the node running low on memory",
        sentence="the kernel killed a worker of the server, most likely for lack of memory",
        cure="Raise the container's memory limit",
        setting="memory limit",
        transient=True,
        serving=True,
    ),
    # Behind those, since a worker that is killed leaves the others with errors of NCCL.
    Row(
        id="nccl",
        signs=r"NCCL error|ncclCommInitRank|ncclUnhandledCudaError|Dist(?:Store|Network)Error"
        r"|Watchdog caught collective operation timeout|Gloo connect\w* failed",
        sentence="the GPUs cannot talk to each other[: {error}]",
        cure="Set NCCL_DEBUG to INFO and read the log; check /dev/shm, the GPUs' links and NCCL_SOCKET_IFNAME",
        setting="extra environment",
        facts=(
            r"(?P<error>NCCL error(?:(?!, Traceback)[^\n]){1,200})",
            r"Dist\w+Error: (?P<error>[^\n]{1,200})",
            r"(?P<error>collective operation timeout: WorkNCCL\([^\n)]{1,40})",
        ),
        transient=True,
        serving=True,
    ),
    # Twice, since one that has begun to serve has overcome what the first row looks for.
    Row(
        id=GENERIC,
        signs=r"Engine core initialization failed|WorkerProc initialization failed|EngineCore failed to start"
        r"|Engine process failed to start|EngineCore hit an exception"
        r"|WorkerProc failed to start|validation errors? for (?:ModelConfig|VllmConfig)"
        r"|^Traceback \(most recent call last\)",
        sentence="the engine did not start[: {error}]",
        cure="Read the container's log; if it names no error, suspect its memory limit",
        facts=(_PYDANTIC + r"(?P<error>[^\n\[]{1,300}[^\s\[])", _ROOT),
        transient=True,
    ),
    Row(
        id=GENERIC,
        signs=r"EngineCore encountered a fatal error|[Pp]roc(?:ess)? \S+ died unexpectedly|EngineDeadError"
        r"|Engine loop has died",
        sentence="the engine died while it served[: {error}]",
        cure="Read the container's log; if it names no error, suspect its memory limit",
        # The exception that follows, since requests that fail for themselves leave others before.
        facts=(
            r"encountered a fatal error[^\n]*(?:\n(?!EngineCore )[^\n]*){0,80}?\n" + _ROOT,
            r"(?P<error>RuntimeError: (?!cancelled)[^\n]{1,200})$",
        ),
        transient=True,
        serving=True,
    ),
)
