# The integration guide's "Example API Call", as it is written there, with the address and the key of your service.
#
#   BLOBWATCH_URL=http://127.0.0.1:2596 BLOBWATCH_KEY=mk_... python3 check_image.py image.jpg [content_id] [action_id]
#
# It needs the package requests. The key needs the scopes scan, match:read and act. `content_123` is what your webhook called
# this upload. Asked again with the same action_id, it is the same request.
import os
import sys

import requests

if len(sys.argv) < 2 or not {"BLOBWATCH_URL", "BLOBWATCH_KEY"} <= os.environ.keys():
    sys.exit("BLOBWATCH_URL=... BLOBWATCH_KEY=... python3 check_image.py image.jpg [content_id] [action_id]")
content_id, action_id = (sys.argv[2:] + ["content_123", "123"][len(sys.argv) - 2 :])[:2]

url = os.environ["BLOBWATCH_URL"]
headers = {"Authorization": f"Bearer {os.environ['BLOBWATCH_KEY']}"}


def answer_of(response):
    """The answer; a refusal says in `detail` what to do."""
    answer = response.json()
    if not response.ok:
        sys.exit(f"{response.status_code}: {answer.get('detail', answer.get('title'))}")
    return answer


# Hash an image
with open(sys.argv[1], "rb") as file:
    response = requests.post(
        f"{url}/api/v1/hash",
        files={"file": file},
        headers=headers,
    )
hash_results = answer_of(response)

# Match a hash
response = requests.post(
    f"{url}/api/v1/match",
    json={
        "hash_value": hash_results["hashes"][0]["hash_value"],
        "hash_type": hash_results["hashes"][0]["algorithm"],
        "threshold": 0.9
    },
    headers=headers,
)
match_results = answer_of(response)
print(f"matches: {match_results['match_count']}")

# Take action if there are matches
if match_results["match_count"] > 0:
    response = requests.post(
        f"{url}/api/v1/action",
        json={
            "action_id": action_id,
            "action_type": "takedown",
            "content_id": content_id,
            "match_info": match_results["matches"][0]
        },
        headers=headers,
    )
    print(f"action: {answer_of(response)['status']}")
