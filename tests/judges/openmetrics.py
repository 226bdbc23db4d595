"""Judges metrics: prometheus_client's strict parser reads OpenMetrics from standard input.

Prints each family as `name type help`, one a line.
"""

import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

for family in text_string_to_metric_families(sys.stdin.read()):
    print(family.name, family.type, family.documentation)
