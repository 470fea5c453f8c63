package partition

import "testing"

func TestRegionsAreInTheirPartitions(t *testing.T) {
	for region, want := range map[string]string{
		"us-east-1": "aws", "ap-southeast-7": "aws", "mx-central-1": "aws", "moon-base-1": "aws", "": "aws",
		"cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "eusc-de-east-1": "aws-eusc",
		"us-iso-east-1": "aws-iso", "us-isob-east-1": "aws-iso-b", "eu-isoe-west-1": "aws-iso-e",
		"us-isof-south-1": "aws-iso-f",
	} {
		if got := Of(region); got.ID != want || !got.Has(got.Domain) || !got.Has(got.DualStack) || got.Has("amazonaws.org") {
			t.Errorf("%q: got %+v, want %s", region, got, want)
		}
	}
}
