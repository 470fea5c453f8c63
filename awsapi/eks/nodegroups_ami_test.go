package eks

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/eks/types"
)

func TestAMITypesFollowInstanceTypes(t *testing.T) {
	for name, want := range map[string]types.AMITypes{
		"m5.large": types.AMITypesAl2023X8664Standard, "m7g.large": types.AMITypesAl2023Arm64Standard,
		"g5.xlarge": types.AMITypesAl2023X8664Nvidia, "g7e.2xlarge": types.AMITypesAl2023X8664Nvidia,
		"p3.2xlarge": types.AMITypesAl2023X8664Nvidia, "g5g.xlarge": types.AMITypesAl2023Arm64Nvidia,
		"g4ad.xlarge": types.AMITypesAl2023X8664Standard, "inf2.xlarge": types.AMITypesAl2023X8664Neuron,
		"trn2.48xlarge": types.AMITypesAl2023X8664Neuron,
	} {
		if got := defaultAMI([]string{name}); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}
