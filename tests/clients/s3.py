"""An S3 server (moto) that checks signatures: s3.py BUCKET makes the bucket and a user who may do everything with it, prints the port,
the key's id and the secret, and serves until it is killed."""

import json
import logging
import os
import sys
import threading

# So many calls are let through unsigned: those below.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "4"

import boto3  # noqa: E402
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
threading.Thread(target=server.serve_forever).start()
endpoint = f"http://127.0.0.1:{server.server_port}"
nobody = {"endpoint_url": endpoint, "region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
iam = boto3.client("iam", **nobody)
iam.create_user(UserName="tester")
everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
iam.put_user_policy(UserName="tester", PolicyName="everything", PolicyDocument=json.dumps(everything))
key = iam.create_access_key(UserName="tester")["AccessKey"]
boto3.client("s3", **nobody).create_bucket(Bucket=sys.argv[1])
print(server.server_port, key["AccessKeyId"], key["SecretAccessKey"], flush=True)
