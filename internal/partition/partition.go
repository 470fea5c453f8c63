// Package partition knows AWS's partitions: which regions they have, and the domains of their endpoints, as
// partitions.json of the AWS SDKs has them.
package partition

import "regexp"

// Partition is a part of AWS with accounts and endpoints of its own.
type Partition struct {
	ID string // aws, aws-cn, ...
	// Domain is that of the endpoints, SERVICE.REGION.DOMAIN; DualStack that of those which IPv6 reaches, too.
	Domain, DualStack string

	regions *regexp.Regexp
}

// Has says whether the domain is one of the partition's two.
func (p Partition) Has(domain string) bool { return domain == p.Domain || domain == p.DualStack }

// AWS is the ID of the partition that most regions are in, and the only one with a global endpoint of STS.
const AWS = "aws"

var all = []Partition{
	{AWS, "amazonaws.com", "api.aws", regexp.MustCompile(`^(us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+$`)},
	{"aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn", regexp.MustCompile(`^cn-\w+-\d+$`)},
	{"aws-us-gov", "amazonaws.com", "api.aws", regexp.MustCompile(`^us-gov-\w+-\d+$`)},
	{"aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu", regexp.MustCompile(`^eusc-de-\w+-\d+$`)},
	{"aws-iso", "c2s.ic.gov", "api.aws.ic.gov", regexp.MustCompile(`^us-iso-\w+-\d+$`)},
	{"aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud", regexp.MustCompile(`^us-isob-\w+-\d+$`)},
	{"aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", regexp.MustCompile(`^eu-isoe-\w+-\d+$`)},
	{"aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov", regexp.MustCompile(`^us-isof-\w+-\d+$`)},
}

// Of is the region's partition. The SDKs take a region that no partition has, such as one that was made up, for one of
// the partition aws.
func Of(region string) Partition {
	for _, p := range all {
		if p.regions.MatchString(region) {
			return p
		}
	}
	return all[0]
}
