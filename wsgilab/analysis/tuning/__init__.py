"""The search for the setting of a server that serves an app best. Pure: `search.next_trial` says what to measure next.

Three stages. A calibration measures the smallest settings, and physics (slots, CPU, memory) bounds all others by it. In
a race, settings that differ much are offered the same rate round after round, and the rate rises until they miss the
SLO; then the neighbours of the leader are offered the rate that it kept. In the final, leader and runner-up each walk
up and down around their capacity with long windows, until it is shown that one is better, or that neither is.

The next trial follows from the trials so far alone: a tuning that was interrupted goes on where it was.
"""
