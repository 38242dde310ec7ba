"""The ways in which a gateway starts again, from the rudest to the politest."""


def kill_worker(gateway):
    gateway.wait_new_worker(gateway.kill_worker())


def kill_all(gateway):
    gateway.kill()
    gateway.restart()


def stop_and_start(gateway):
    gateway.stop()
    gateway.restart()


RESTARTS = (kill_worker, kill_all, stop_and_start)
