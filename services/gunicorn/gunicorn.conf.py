"""What every gunicorn server of the lab shares; workers, threads and class are on its command line in compose.yaml."""

import os

# The heartbeat file is touched by every worker; on a disk that can block a worker for seconds, in memory it can not.
# macOS has no such folder, and gunicorn does not start with one that it cannot write.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

# The control socket of gunicorn >= 25 wants a writable home directory; containers here are read-only.
control_socket_disable = True

# nginx keeps idle connections to its upstreams for 60 s. A server that closes them first answers the next
# request with a reset, which the client sees as 502.
keepalive = 75

# One line a request to a log that nobody reads would be measured as the server's cost.
accesslog = None
