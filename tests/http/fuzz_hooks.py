"""What the fuzzer is told about its calls: sessions that there are, which it cannot guess."""

import os

import schemathesis

IDS = [one for one in os.environ.get("FUZZ_IDS", "").split(",") if one]
NOBODY = "00000000-0000-4000-8000-000000000000"
ENDING = ("/kill", "/terminate", "/stop")


@schemathesis.hook
def before_call(context, case, **kwargs):
    path, method = case.path, case.method.upper()
    if method == "DELETE" and path == "/v1/sessions/batch" and isinstance(case.body, dict):
        # The sessions are needed for the other calls.
        case.body.pop("status", None)
        if isinstance(case.body.get("ids"), list):
            case.body["ids"] = [one for one in case.body["ids"] if one not in IDS]
    ends = method == "DELETE" or path.endswith(ENDING)
    if ends and case.path_parameters and case.path_parameters.get("id") in IDS:
        case.path_parameters["id"] = NOBODY
    if IDS and "/sessions/{id}" in path and not ends and case.path_parameters:
        # Half of the calls are about sessions that there are.
        drawn = hash(str(case.path_parameters.get("id")))
        if drawn % 2:
            case.path_parameters["id"] = IDS[drawn // 2 % len(IDS)]
