package iam

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// legacy says whether a statement passes IAM's older parser: the effect's case, and the dates of conditions.
func (s grammarStatement) legacy() bool {
	if effect := s["Effect"]; effect != effectAllow && effect != effectDeny {
		return false
	}
	operators, _ := s["Condition"].(map[string]any)
	for name, block := range operators {
		if _, base, found := strings.Cut(name, ":"); found {
			name = base
		}
		if !strings.HasPrefix(name, "Date") {
			continue
		}
		keys, _ := block.(map[string]any)
		for _, values := range keys {
			list, several := values.([]any)
			if !several {
				list = []any{values}
			}
			if slices.ContainsFunc(list, func(one any) bool { return one != nil && !isDate(one) }) {
				return false
			}
		}
	}
	return true
}

// The years that IAM's dates can have are Java's.
const firstYear, lastYear = -292275054, 292278993

// isDate says whether IAM takes a value for a date: ISO 8601, also cut short or with a small t, or seconds since 1970.
func isDate(value any) bool {
	if number, ok := value.(json.Number); ok {
		value = number.String()
	}
	text, ok := value.(string)
	if !ok {
		return false
	}
	text = strings.ToLower(text)
	if !strings.ContainsAny(text, "t-") {
		seconds, err := strconv.ParseInt(text, 10, 64)
		return err == nil && seconds >= 0
	}
	day, clock, _ := strings.Cut(text, "t")
	negative := strings.HasPrefix(day, "-")
	parts := strings.Split(strings.TrimPrefix(day, "-"), "-")
	if negative {
		parts[0] = "-" + parts[0]
	}
	bounds := [][2]int{{firstYear, lastYear}, {1, 12}, {1, 31}}
	if len(parts) > len(bounds) {
		return false
	}
	for i, part := range parts {
		if !inBounds(part, bounds[i][0], bounds[i][1]) {
			return false
		}
	}
	return clock == "" || isClock(clock)
}

func isClock(text string) bool {
	text, zoned := strings.CutSuffix(text, "z")
	if at := strings.IndexAny(text, "+-"); at >= 0 {
		if zoned || !isZone(text[at+1:]) {
			return false
		}
		text = text[:at]
	}
	parts := strings.Split(text, ":")
	if len(parts) > 3 {
		return false
	}
	for i, most := range []int{23, 59, 59}[:len(parts)] {
		part, fraction, found := strings.Cut(parts[i], ".")
		if !inBounds(part, 0, most) || found && (i < 2 || !inBounds(fraction, 0, int(time.Second)-1)) {
			return false
		}
	}
	return true
}

// isZone says whether a text is an offset from UTC: hours of two digits, and perhaps minutes of two.
func isZone(text string) bool {
	hours, minutes, found := strings.Cut(text, ":")
	return len(hours) == 2 && inBounds(hours, 0, 23) && (!found || len(minutes) == 2 && inBounds(minutes, 0, 59))
}

func inBounds(text string, least, most int) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n >= least && n <= most
}

// resources checks the resources. Of several that are wrong it is the last that IAM tells: of a list the first in the
// order of the alphabet, of the statements the last, and a NotResource rather than a Resource.
func (p grammarDocument) resources() (wrong error) {
	for _, element := range []string{"Resource", "NotResource"} {
		for _, s := range p.statements {
			texts := s.texts(element)
			slices.Sort(texts)
			slices.Reverse(texts)
			for _, resource := range texts {
				if err := checkResource(resource); err != nil {
					wrong = err
				}
			}
			if wrong != nil {
				continue
			}
			_, several := s[element].([]any)
			if slices.ContainsFunc(texts, func(resource string) bool { return !legacyResource(resource, several) }) {
				return malformed(saysLegacy)
			}
		}
	}
	return wrong
}

// legacyResource says whether a resource passes IAM's older parser, which looks at lists less closely.
func legacyResource(resource string, listed bool) bool {
	if resource == "*" {
		return true
	}
	fields := strings.Split(resource, ":")
	return (len(fields) >= 6 || !strings.Contains(resource, "::")) && (listed || fields[2] != "")
}

// partitions are AWS's.
var partitions = []string{"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc"}

// iamPaths are how the resources of IAM's ARNs begin.
var iamPaths = []string{"user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/",
	"server-certificate/", "policy/", "sms-mfa/", "saml-provider/", "oidc-provider/", "report/", "access-report/"}

// regionalS3 are how the resources of those S3 ARNs begin that have a region. Buckets and objects have none.
var regionalS3 = []string{"accesspoint/", "job/", "storage-lens/", "storage-lens-group/", "access-grants/",
	"async-request/", "*"}

// checkResource checks one resource by itself.
func checkResource(resource string) error {
	if resource == "*" {
		return nil
	}
	_, rest, found := strings.Cut(resource, ":")
	if !found {
		return malformed(saysNoARN, resource)
	}
	partition, rest, found := strings.Cut(rest, ":")
	if partition != "*" && !slices.Contains(partitions, partition) {
		parts := [4]string{"*", "*", "*", "*"}
		for i, part := range strings.SplitN(rest, ":", 4) {
			if i > 0 || part != "" || strings.Contains(rest, ":") {
				parts[i] = part
			}
		}
		return malformed(saysPartition, partition, partition, parts[0], parts[1], parts[2], parts[3])
	}
	if !found {
		return malformed(saysNoVendor)
	}
	service, rest, _ := strings.Cut(rest, ":")
	if strings.ContainsAny(service, "*?") {
		return malformed(saysNoVendor)
	}
	fields := strings.SplitN(rest, ":", 3) // region, account, what
	what := ""
	if len(fields) == 3 {
		what = fields[2]
	}
	begins := func(kinds []string) bool {
		return slices.ContainsFunc(kinds, func(kind string) bool { return strings.HasPrefix(what, kind) })
	}
	switch regional := !strings.HasPrefix(rest, ":"); {
	case service == "iam" && regional:
		return malformed(saysIAMRegion, resource)
	case service == "s3" && regional && !begins(regionalS3):
		return malformed(saysS3Region, resource)
	case service == "iam" && what != "*" && !begins(iamPaths):
		return malformed(saysIAMPath, strings.Join(iamPaths, ", "))
	}
	return nil
}

// vendors checks the actions: vendor:name, or *.
func (p grammarDocument) vendors() error {
	for _, element := range []string{"Action", "NotAction"} {
		for _, s := range p.statements {
			for _, action := range s.texts(element) {
				vendor, name, found := strings.Cut(action, ":")
				switch {
				case !found && action != "*":
					return malformed(saysVendor)
				case strings.Contains(name, ":"):
					return malformed(saysColons)
				case vendor != "*" && strings.Trim(vendor, alphanumeric+"-.") != "":
					return malformed(saysBadVendor, vendor)
				}
			}
		}
	}
	return nil
}
