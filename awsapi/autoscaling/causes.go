package autoscaling

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Causes are what scaling activities say of why they are, to the letter as EC2 Auto Scaling does: sentences that begin
// with a time, with two spaces between them.

// maxCause is how long a cause is at most.
const maxCause = 1023

// at is a sentence of a cause.
func at(now time.Time, format string, args ...any) string {
	return "At " + now.UTC().Format("2006-01-02T15:04:05Z") + " " + fmt.Sprintf(format, args...)
}

// cause joins the sentences that are not empty.
func cause(sentences ...string) string {
	var said []string
	for _, sentence := range sentences {
		if sentence != "" {
			said = append(said, sentence)
		}
	}
	return clipText(strings.Join(said, "  "), maxCause)
}

func clipText(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// The sentences without their times.
const (
	saysCreated = "a user request created an AutoScalingGroup changing the desired capacity from 0 to %d."
	saysSet     = "a user request explicitly set group desired capacity changing the desired capacity from %d to %d."
	saysUpdated = "a user request update of AutoScalingGroup constraints to min: %d, max: %d, desired: %d changing " +
		"the desired capacity from %d to %d."
	saysScheduled = "a scheduled action update of AutoScalingGroup constraints to min: %d, max: %d, desired: %d changing " +
		"the desired capacity from %d to %d."
	saysPolicy   = "a user request executed policy %s changing the desired capacity from %d to %d."
	saysTracking = "a monitor alarm %s in state ALARM triggered policy %s changing the desired capacity from %d to %d."

	saysStarted = "an instance was started in response to a difference between desired and actual capacity, increasing " +
		"the capacity from %d to %d."
	saysReplaced = "an instance was launched in response to an unhealthy instance needing to be replaced."
	saysTaken    = "an instance was taken out of service in response to a difference between desired and actual capacity, " +
		"shrinking the capacity from %d to %d."
	saysSelected = "instance %s was selected for termination."
	saysEnded    = "instance %s was taken out of service in response to a user request, shrinking the capacity from %d to %d."
	saysEndedNow = "instance %s was taken out of service in response to a user request."
	saysDetached = "instance %s was detached in response to a user request, shrinking the capacity from %d to %d."
	saysLeft     = "instance %s was detached in response to a user request."
	saysAttached = "an instance was attached in response to user request, increasing the capacity from %d to %d."
	saysStandby  = "instance %s was moved to standby in response to a user request, shrinking the capacity from %d to %d."
	saysStoodBy  = "instance %s was moved to standby in response to a user request."
	saysExited   = "instance %s was moved out of standby in response to a user request, increasing the capacity from %d to %d."
	saysDeleted  = "a user request deleted the AutoScalingGroup changing the desired capacity from %d to 0."

	saysUnhealthy = "an instance was taken out of service in response to %s."
	whyEnded      = "an EC2 health check indicating it has been terminated or stopped"
	whyImpaired   = "an EC2 instance status checks failure"
	whyELB        = "an ELB system health check failure"
	whyUser       = "a user health-check"

	// Instances that are in order and replaced: first another is launched.
	saysBalancing = "availability zones %s had %s instances respectively. An instance was launched to aid in balancing " +
		"the group's zones."
	saysMoving = "invalid availability zones %s had %s instances respectively. An instance was launched to aid in " +
		"migrating instances from these zones to valid ones."
	saysBalanced = "instances were launched to balance instances in zones %s with other zones resulting in more than " +
		"desired number of instances in the group."
	saysRefreshed = "an instance was %s in response to an instance refresh."
	saysSpot      = "an instance was %s in response to an EC2 instance rebalance recommendation."
	saysOld       = "an instance was %s in response to the maximum instance lifetime."
	launched      = "launched"
	takenOut      = "taken out of service"
)
