package balancing

import (
	"slices"
	"time"

	"tripod/api"
	"tripod/region"
	"tripod/state"
)

// Shown are all load balancers, as the region's status has them.
func Shown(tx *state.Txn, now time.Time) (all []api.LoadBalancer) {
	for _, b := range region.LoadBalancers.List(tx) {
		shown := api.LoadBalancer{Name: b.Name, ARN: b.ARN, Type: string(b.Type), Scheme: b.Scheme, State: string(b.State),
			DNSName: b.DNSName}
		zones := b.ZoneNames()
		shown.Zones = zones
		var groups []string
		if b.Type == region.ClassicBalancer {
			groups = []string{region.ClassicGroup(b.Name)}
			for _, l := range b.Classic.Listeners {
				shown.Listeners = append(shown.Listeners, api.BalancerListener{Protocol: l.Protocol, Port: l.Port})
			}
		}
		for _, l := range region.ListenersOf(tx, b) {
			shown.Listeners = append(shown.Listeners, api.BalancerListener{Protocol: l.Protocol, Port: l.Port})
			for _, arn := range region.GroupsNamed(l, region.RulesOf(tx, l)) {
				groups = append(groups, region.TargetGroupName(arn))
			}
		}
		slices.Sort(groups)
		for _, group := range slices.Compact(groups) {
			for _, t := range region.LiveTargets(tx, group, now) {
				if t.IsDraining() {
					continue
				}
				shown.Targets++
				// of what the zones find the worst counts, as DescribeTargetHealth has it
				switch t.Verdict(region.TargetUse{InUse: true, Zones: zones}, region.ReportsOf(tx, t)).State {
				case region.TargetHealthy, region.TargetUnavailable:
					shown.Healthy++
				}
			}
		}
		all = append(all, shown)
	}
	return all
}
