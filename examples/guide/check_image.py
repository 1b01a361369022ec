# The integration guide's "Example API Call", as it is written there, with the address and the key of your service.
#
#   BLOBWATCH_URL=http://127.0.0.1:2596 BLOBWATCH_KEY=mk_... python3 check_image.py image.jpg
#
# The key needs the scopes scan, match:read and act. `content_123` is what your webhook called this upload.
import os
import sys

import requests

url = os.environ["BLOBWATCH_URL"]
headers = {"Authorization": f"Bearer {os.environ['BLOBWATCH_KEY']}"}

# Hash an image
response = requests.post(
    f"{url}/api/v1/hash",
    files={"file": open(sys.argv[1], "rb")},
    headers=headers,
)
hash_results = response.json()

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
match_results = response.json()
print(f"matches: {match_results['match_count']}")

# Take action if there are matches
if match_results["match_count"] > 0:
    response = requests.post(
        f"{url}/api/v1/action",
        json={
            "action_id": "123",
            "action_type": "takedown",
            "content_id": "content_123",
            "match_info": match_results["matches"][0]
        },
        headers=headers,
    )
    print(f"action: {response.json()['status']}")
