# SPDX-License-Identifier: GPL-3.0-or-later
"""What a log says about the model: where it comes from, and its files."""

from __future__ import annotations

from ansible_collections.ai_aas.vllm.plugins.module_utils.serving.causes.row import Row

# A request to the hub: https://huggingface.co/meta-llama/Llama-2-7b-hf/resolve/main/config.json
_HUB_URL = r"https?://[^/\s]+/(?P<model>[\w.-]+/[\w.-]+)/resolve/(?P<revision>[^/\s]+)/"
_HUB_API = r"https?://[^/\s]+/api/models/(?P<model>[\w.-]+/[\w.-]+)"
_HUB_STATUS = r"\b(?P<status>40[134]) Client Error"

# A file of the weights; in the hub's cache it is a link, which may point to nothing.
_NO_FILE = r"No such file or directory: [\"'](?P<file>[^\"'\n]+\.(?:safetensors|bin|pt|pth|gguf))[\"']"

MODEL: tuple[Row, ...] = (
    # --- The hub. First, since what does not arrive fails later in many other ways.
    Row(
        id="hf_gated",
        signs=r"GatedRepoError|You are trying to access a gated repo|Cannot access gated repo|is a gated repository",
        sentence="the model[ {model}] is gated on the hub, and the token may not read it[ (the hub answered {status})]",
        cure="Accept the model's licence on the hub and give the server a token of that account (HF_TOKEN)",
        setting="--hf-token",
        facts=(_HUB_URL, _HUB_API, _HUB_STATUS),
    ),
    Row(
        id="hf_revision",
        signs=r"RevisionNotFoundError|is not a valid git identifier|Invalid rev id",
        sentence="the model[ {model}] has no revision[ {revision}] on the hub",
        cure="Name a branch, tag or commit of the model (--revision)",
        setting="model revision",
        facts=(
            r"Invalid rev id: (?P<revision>\S+)",
            r"(?P<revision>\S+) is not a valid git identifier",
            _HUB_URL,
            _HUB_API,
        ),
    ),
    Row(
        id="hf_not_found_or_private",
        signs=r"RepositoryNotFoundError|is not a valid model identifier listed on|Invalid credentials in Authorization"
        r"|Invalid username or password|401 Client Error: Unauthorized|Client error '401 Unauthorized'"
        r"|your token has the correct permissions|is not a local folder or a valid repository name",
        sentence="the hub shows no model[ {model}] to this server: it does not exist, or is private"
        "[ (the hub answered {status})]",
        cure="Correct the model's name, or give the server a token that may read it (HF_TOKEN)",
        setting="model",
        facts=(_HUB_URL, _HUB_API, r"(?P<model>\S+) is not a (?:local folder|valid model)", _HUB_STATUS),
    ),
    Row(
        id="hf_rate_limited",
        signs=r"\b429 Too Many Requests|\b429 Client Error|HTTP Error 429",
        sentence="the hub answers 429: too many requests from this address or token",
        cure="Wait and try again; give the server a token (HF_TOKEN) or a volume that holds the model",
        setting="--hf-token",
        transient=True,
    ),
    Row(
        id="hf_offline_not_cached",
        signs=r"outgoing traffic has been disabled|offline mode is enabled|OfflineModeIsEnabled",
        sentence="the model is not in the cache, and the hub is switched off (HF_HUB_OFFLINE)",
        cure="Mount a volume that holds the model, or remove HF_HUB_OFFLINE",
        setting="model",
    ),
    Row(
        id="hf_unreachable",
        signs=r"We couldn't connect to '[^']+' to load|LocalEntryNotFoundError|Name or service not known"
        r"|Temporary failure in name resolution|There was a specific connection error when trying to load"
        r"|HTTPS?ConnectionPool\(host=\\?'(?!stats\.vllm)[^\n]{1,200}(?:Max retries exceeded|Read timed out)"
        r"|\bhttpx2?\.(?:(?:Connect|Read|Write|Pool)(?:Error|Timeout)|ProxyError|RemoteProtocolError)"
        r"|\brequests\.exceptions\.(?:\w*Timeout|SSLError|ProxyError|ConnectionError|ChunkedEncodingError)"
        r"|HfHubHTTPError|\b5\d\d Server Error|Server error '5\d\d"
        # Of the download, too, but here the volume refuses: not permitted, full, read-only, over its quota.
        r"|CAS service error(?![^\n]*(?:os error (?:13|28|30|122)\b|No space left))",
        sentence="the hub[ at {hub}] cannot be reached[: {error}]",
        cure="Let the pods reach the hub (DNS, NetworkPolicy, proxy), or mount a volume that holds the model",
        setting="egress",
        facts=(
            r"couldn't connect to '(?P<hub>[^']+)'",
            r"HTTPS?ConnectionPool\(host=\\?'(?P<hub>[^'\\]+)",
            r"(?P<error>certificate verify failed[^\n(\"]{0,80}[^\n(\" ])",
            r"(?:Connect|Timeout|Proxy|SSL|gai|Connection)\w*[Ee]rror: (?P<error>[^\n]{1,120})",
            r"(?P<error>Name or service not known|Temporary failure in name resolution)",
            r"(?P<error>Connection to \S+ timed out|Read timed out|CAS service error[^\n]{1,120})",
            r"\bhttpx2?\.\w+: (?P<error>[^\n]{1,120})",
            r"(?:Server error '|\b)(?P<error>5\d\d [A-Z][A-Za-z ]+(?:: [A-Z][A-Za-z -]+?(?= for url))?)",
        ),
        transient=True,
    ),
    # --- The model's files.
    Row(
        id="model_path_missing",
        signs=r"HFValidationError|Invalid repository ID or local directory specified|Incorrect path_or_model_id"
        r"|does not appear to have a file named (?:config|params)\.json|Could not detect config format"
        r"|No supported config format found in"
        r"|No such file or directory: '[^'\n]*/(?:config|params)\.json'",
        sentence="there is no model[ at {path}] (no config.json)",
        cure="Mount the volume that holds the model, or correct the model's path",
        setting="model",
        facts=(
            r"(?:'namespace/repo_name'|directory specified|path_or_model_id): '(?P<path>[^'\n]+)'",
            r"(?P<path>\S+) does not appear to have a file named",
            r"No supported config format found in (?P<path>\S+)",
            r"No such file or directory: '(?P<path>[^'\n]*)/(?:config|params)\.json'",
        ),
    ),
    Row(
        id="objstore_extra_missing",
        signs=r"No module named '(?P<module>runai_model_streamer|tensorizer)|lease install vllm\[(?:runai|tensorizer)",
        sentence="the image cannot load from object storage[: it lacks {module}]",
        cure="Use an image with vLLM's runai extra, as the official one",
        setting="image tag",
    ),
    Row(
        id="objstore_load_format",
        signs="To load a model from object storage",
        sentence="a model in object storage cannot be loaded with this load format[: {format}]",
        cure="Set --load-format to runai_streamer, or leave it out",
        setting="--load-format",
        facts=(r"but got '(?P<format>[^']+)'",),
    ),
    Row(
        id="trust_remote_code",
        signs=r"contains custom code which must be executed|requires you to execute the (?:configuration|model) file"
        r"|consider setting `trust_remote_code=True`",
        sentence="the model[ {model}] brings code of its own, which vLLM runs only when it is told to",
        cure="If you trust its authors, add --trust-remote-code and pin the model's revision",
        setting="--trust-remote-code",
        facts=(
            r"The repository `?(?P<model>[^\s`]+)`? contains",
            r"Loading (?P<model>\S+) requires you",
        ),
    ),
    Row(
        id="arch_unsupported",
        signs=r"Model architectures? [^\n]{1,300}?(?:not supported|failed to be inspected|was supported in vLLM until)"
        r"|has no vLLM implementation|Cannot find model module\. '\w+'"
        r"|The Transformers implementation of '\w+' is not compatible",
        sentence="this vLLM cannot run the model's architecture[ {architecture}]",
        cure="Use a vLLM version that supports it, or another model",
        setting="image tag",
        facts=(
            r"Model architectures? \[?'?(?P<architecture>\w+)",
            r"(?P<architecture>\w+) has no vLLM implementation",
            r"(?:find model module\.|implementation of) '(?P<architecture>\w+)'",
        ),
    ),
    Row(
        id="model_type_unknown",
        signs="model type `(?P<type>[^`]+)` but Transformers does not recognize",
        sentence="the model is of the type {type}, which is newer than this image",
        cure="Use a newer vLLM version",
        setting="image tag",
    ),
    Row(
        id="tokenizer_missing",
        signs=r"Couldn't instantiate the backend tokenizer|Can't load tokenizer for"
        r"|Tokenizer class \S+ (?:does not exist|is not currently imported)|specified in the tokenizer config was not"
        r"|No tokenizer file found in|a Mistral tokenizer is present|Converting from (?:Tiktoken|SentencePiece) failed",
        sentence="the model's tokenizer cannot be loaded",
        cure="Put the tokenizer's files beside the weights, or name another one with --tokenizer",
        setting="--tokenizer",
    ),
    Row(
        id="weights_missing",
        signs=r"Cannot find any (?:safetensors )?model weights with(?: `(?P<path>[^`]+)`)?"
        r"|Could not find checkpoint files|Weight files referenced in index but missing|" + _NO_FILE,
        sentence="there are no weights[ in {path}][: {file} is missing]",
        cure="Complete the model's download: vLLM looks for *.safetensors, *.bin or *.pt",
        setting="model",
        facts=(r"referenced in index but missing: \{'(?P<file>[^'\n]+)'", _NO_FILE),
    ),
    Row(
        id="weights_corrupt",
        signs=r"SafetensorError|Error while deserializing header|incomplete metadata, file not fully covered"
        r"|PytorchStreamReader failed|Weights\w*Unpickler error: Unsupported operand|UnpicklingError: invalid load key",
        sentence="a file of the weights is damaged[: {error}]",
        cure="Download the model again; a file of a few hundred bytes is a Git LFS pointer (git lfs pull)",
        setting="model",
        facts=(r"deserializing header: (?P<error>[^\n]{1,120})", r"(?P<error>PytorchStreamReader failed[^\n]{1,100})"),
    ),
)
