"""The search for the setting of a server that serves an app best. Pure: `search.next_trial` says what to measure next.

Three stages. A calibration measures the smallest settings, and physics (slots, CPU, memory) bounds all others by it. In
a race, settings that differ much are offered more than they can do, and those that answer most have to keep the SLO a
little below that; heat after heat adds neighbours of the leader. In the final, leader and runner-up each walk up and
down around their capacity with long windows, until it is shown that one is better, or that neither is.

The next trial follows from the trials so far alone: a tuning that was interrupted goes on where it was.
"""
