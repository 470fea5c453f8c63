package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"tripod/api"
	"tripod/client"
)

// tableWidth is what every line of the status fits.
const tableWidth = 80

// statusLines is the status as people read it.
func statusLines(status *api.Status, now time.Time) []string {
	var lines []string
	section := func(add []string) {
		if len(add) > 0 {
			lines = append(append(lines, ""), add...)
		}
	}
	lines = append(lines, headLines(status, now)...)
	section(zoneLines(status, now))
	section(clusterLines(status, true))
	section(balancerLines(status))
	section(cronJobLines(status, now))
	section(faultLines(status, now))
	return lines
}

func headLines(status *api.Status, now time.Time) []string {
	lines := []string{headline(status)}
	if lost := quorumLines(status); len(lost) > 0 {
		lines = append(append(lines, ""), append(lost, "")...)
	}
	state := fmt.Sprintf("%d of %d voters", status.State.Voters, len(status.Zones))
	if status.State.Leader != "" {
		state += ", led by " + status.State.Leader
	}
	if status.Machine.Trouble != "" {
		lines = append(lines, "  machine         it is busy: "+status.Machine.Trouble)
	}
	return append(lines,
		"  AWS endpoint    "+clip(status.AWSEndpoint, 40)+"  (account "+status.AccountID+")",
		"  regional state  "+state,
		"  data            "+clip(clean(status.DataDir), tableWidth-18),
		fmt.Sprintf("  process         pid %d, up %s, %s in all", status.PID, age(now.Sub(status.StartedAt)),
			memory(status.MemoryBytes)))
}

// headline is the region's state in one line.
func headline(status *api.Status) string {
	ready := 0
	for _, zone := range status.Zones {
		if zone.State == api.StateReady {
			ready++
		}
	}
	phase := status.Phase
	if phase == api.PhaseNoQuorum {
		phase = "without quorum"
	}
	if status.AsleepSince != nil {
		phase += " since " + status.AsleepSince.Local().Format(time.TimeOnly) + ", and the first connection wakes it"
	}
	return fmt.Sprintf("%s is %s: %d of %d zones ready", status.Region, phase, ready, len(status.Zones))
}

// quorumLines say plainly that quorum is lost, what that means and what to do.
func quorumLines(status *api.Status) []string {
	lost := client.QuorumLost(status)
	if len(lost) == 0 {
		return nil
	}
	text := "QUORUM IS LOST: " + strings.Join(lost, "; ") + ". Nothing can be written until another zone is back"
	for _, zone := range status.Zones {
		switch zone.State {
		case api.StateKilled, api.StateStopped:
			text += ": 'tripod start az/" + status.Letter(zone.Name) + "'"
		case api.StatePaused:
			text += ": 'tripod resume az/" + status.Letter(zone.Name) + "'"
		default:
			continue
		}
		break
	}
	return wrap(text+".", tableWidth)
}

// zoneLines is the table of zones and, below each, its instances.
func zoneLines(status *api.Status, now time.Time) []string {
	row := func(name, state, pid, age, memory, restarts, leads string) string {
		line := pad(name, 17) + " " + pad(state, 8) + " " + pad(pid, -7) + " " + pad(age, -4) + " " + pad(memory, -8) + " " +
			pad(restarts, -8)
		return strings.TrimRight(line+"  "+clip(leads, 21), " ")
	}
	lines := []string{row("ZONE", "STATE", "PID", "AGE", "MEMORY", "RESTARTS", "LEADS")}
	for _, zone := range status.Zones {
		leads := ""
		if zone.Name == status.State.Leader {
			leads = "regional state"
		}
		lines = append(lines, row(zone.Name, zone.State, number(zone.PID), since(zone.StartedAt, now),
			memory(zone.MemoryBytes), "", leads))
		lines = append(lines, reasonLines("  ", zone.Reason)...)
		indent, cluster := "  ", ""
		for _, instance := range zone.Instances {
			if len(status.Clusters) > 1 && instance.Cluster != cluster {
				cluster, indent = instance.Cluster, "    "
				lines = append(lines, "  "+clip(clean(cluster), tableWidth-2))
			}
			lines = append(lines, row(indent+instance.Target, instance.State, number(instance.PID),
				since(instance.StartedAt, now),
				memory(instance.MemoryBytes), fmt.Sprint(instance.Restarts), leadNames(instance.Leads)))
			lines = append(lines, reasonLines(indent+"  ", instance.Reason)...)
		}
	}
	return lines
}

// leadNames shortens upstream's names: a controllers instance can lead both.
func leadNames(leads []string) string {
	var names []string
	for _, name := range leads {
		name = strings.TrimPrefix(name, "kube-")
		if name == "controller-manager" {
			name = "controllers"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}

func reasonLines(indent, reason string) []string {
	if reason == "" {
		return nil
	}
	var lines []string
	for _, line := range wrap(clean(reason), tableWidth-len(indent)-2) {
		lines = append(lines, indent+"  "+clip(line, tableWidth-len(indent)-2))
	}
	return lines
}

func number(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func since(t *time.Time, now time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return age(now.Sub(*t))
}

// clusterLines is the table of clusters; with endpoints each has a second line.
func clusterLines(status *api.Status, endpoints bool) []string {
	if len(status.Clusters) == 0 {
		return nil
	}
	row := func(name, version, state, quorum, etcd, controllers, scheduler string) string {
		return strings.TrimRight(pad(name, 18)+" "+pad(version, 7)+" "+pad(state, 8)+" "+pad(quorum, 8)+" "+pad(etcd,
			11)+" "+pad(controllers, 11)+" "+pad(scheduler, 11), " ")
	}
	lines := []string{row("CLUSTER", "VERSION", "STATUS", "QUORUM", "ETCD LEADER", "CONTROLLERS", "SCHEDULER")}
	leader := func(zone string) string {
		if zone == "" {
			return "-"
		}
		return status.Letter(zone)
	}
	for _, cluster := range status.Clusters {
		quorum := fmt.Sprintf("%d/%d", cluster.EtcdMembers, len(status.Zones))
		if !cluster.Quorum {
			quorum = "LOST " + quorum
		}
		lines = append(lines, row(clean(cluster.Name), cluster.Version, cluster.Status, quorum, leader(cluster.EtcdLeader),
			leader(cluster.Controllers), leader(cluster.Scheduler)))
		if endpoints && cluster.Endpoint != "" {
			lines = append(lines, "  "+clip(cluster.Endpoint, tableWidth-2))
		}
		if endpoints && cluster.Private != "" {
			lines = append(lines, "  "+clip(cluster.Private+" (private)", tableWidth-2))
		}
		lines = append(lines, reasonLines("", cluster.Trouble)...)
		lines = append(lines, stageLines(cluster)...)
	}
	return lines
}

// stageLines say how far a cluster's creation is.
func stageLines(cluster api.Cluster) []string {
	var stages []string
	for _, stage := range cluster.Stages {
		stages = append(stages, fmt.Sprintf("%s %d/%d", stage.Name, stage.Done, stage.Of))
	}
	return reasonLines("", strings.Join(stages, ", "))
}

// balancerLines is the table of balancers, a line per target.
func balancerLines(status *api.Status) []string {
	if len(status.Balancers) == 0 {
		return nil
	}
	row := func(name, address, zone, health, open, total string) string {
		return pad(name, 18) + " " + pad(address, 16) + " " + pad(zone, 15) + " " + pad(health, 9) + " " + pad(open, -6) +
			" " + pad(total, -10)
	}
	lines := []string{row("BALANCER", "ADDRESS", "TARGET", "HEALTH", "OPEN", "TOTAL")}
	for _, balancer := range status.Balancers {
		name, address := clean(balancer.Name), balancer.Address
		for _, target := range balancer.Targets {
			lines = append(lines, row(name, address, target.Zone, health(target), fmt.Sprint(target.Connections),
				fmt.Sprint(target.Total)))
			name, address = "", ""
			if !target.Healthy {
				lines = append(lines, reasonLines(strings.Repeat(" ", 36), target.Reason)...)
			}
		}
		if name != "" {
			lines = append(lines, strings.TrimRight(row(name, address, "-", "", "", ""), " "))
		}
	}
	return lines
}

func health(target api.BalancerTarget) string {
	if target.Healthy {
		return "healthy"
	}
	return "unhealthy"
}

// balancerShort is a line per balancer, for where there is little room.
func balancerShort(status *api.Status) []string {
	var lines []string
	for _, balancer := range status.Balancers {
		line := pad("balancer "+clean(balancer.Name), 23) + " " + pad(balancer.Address, 16)
		for _, target := range balancer.Targets {
			line += " " + pad(status.Letter(target.Zone)+" "+health(target), 12)
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return lines
}

// The widest that a fault and its target are in the table: what is longer is cut.
const faultWidth, targetWidth = 20, 36

// faultLines is the table of the faults in force; a line that is too long for it has how it is undone below it.
func faultLines(status *api.Status, now time.Time) []string {
	if len(status.Faults) == 0 {
		return nil
	}
	fault, target := 9, 24
	for _, f := range status.Faults {
		fault = max(fault, min(utf8.RuneCountInString(clean(f.Fault)), faultWidth))
		target = max(target, min(utf8.RuneCountInString(clean(f.Target)), targetWidth))
	}
	lines := []string{pad("FAULT", fault) + " " + pad("TARGET", target) + " FOR   UNDO"}
	for _, f := range status.Faults {
		line := pad(clean(f.Fault), fault) + " " + pad(clean(f.Target), target) + " " + pad(age(now.Sub(f.Since)), 5)
		undo := undoing(status, f, now)
		if utf8.RuneCountInString(line)+1+utf8.RuneCountInString(undo) > tableWidth {
			lines = append(lines, strings.TrimRight(line, " "), "  "+clip(undo, tableWidth-2))
			continue
		}
		lines = append(lines, line+" "+undo)
	}
	return lines
}

// undoing is the command that takes a fault back, and when it ends by itself.
func undoing(status *api.Status, f api.Fault, now time.Time) string {
	target := clean(f.Target)
	undo := "tripod " + api.Reset + " " + target
	kind, _, _ := strings.Cut(f.Target, "/")
	verb, process := api.FindFault(f.Fault)
	switch record, found := api.FindRecordFault(kind); {
	case f.Final:
		undo = "nothing"
	case process && (!found || record.InZone()):
		undo = "tripod " + verb.Lift + " " + target
	case found && f.Cluster != "" && len(status.Clusters) > 1:
		undo += " --cluster " + clean(f.Cluster)
	}
	if f.Until != nil {
		undo += " (over in " + age(f.Until.Sub(now)) + ")"
	}
	return undo
}
