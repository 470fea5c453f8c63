package eks

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/internal/addonversions"
)

// offer is an add-on of the catalogue, addons_catalogue.json: names, namespaces, service accounts and policies are
// those of the EKS user guide; versions are of EKS's shape for the Kubernetes versions that run here, and schemas hold
// the values that people set.
type offer struct {
	Name         string   `json:"name"`
	Type         string   `json:"type"`
	Namespace    string   `json:"namespace"`
	Owner        string   `json:"owner"`
	Publisher    string   `json:"publisher"`
	ComputeTypes []string `json:"computeTypes"`
	// newest first; of add-ons that every cluster runs they are in internal/addonversions
	Versions    []addonversions.Version `json:"versions"`
	RequiresIAM bool                    `json:"requiresIam"`
	PodIdentity []struct {
		ServiceAccount string   `json:"serviceAccount"`
		Policies       []string `json:"policies"`
	} `json:"podIdentity"`
	Schema json.RawMessage `json:"schema"`
}

//go:embed addons_catalogue.json
var catalogueJSON []byte

// catalogue are the add-ons in the order of their names.
var catalogue = sync.OnceValue(func() []offer {
	var offers []offer
	if err := json.Unmarshal(catalogueJSON, &offers); err != nil { // a broken build
		panic(fmt.Sprintf("eks: addons_catalogue.json: %v", err))
	}
	for i := range offers {
		if everywhere := addonversions.Of(offers[i].Name); everywhere != nil {
			offers[i].Versions = everywhere
		}
	}
	return offers
})

func offerNamed(name string) (offer, bool) {
	i := slices.IndexFunc(catalogue(), func(o offer) bool { return o.Name == name })
	if i < 0 {
		return offer{}, false
	}
	return catalogue()[i], true
}

// version is the add-on's version of that name.
func (o offer) version(name string) (addonversions.Version, bool) {
	i := slices.IndexFunc(o.Versions, func(v addonversions.Version) bool { return v.Version == name })
	if i < 0 {
		return addonversions.Version{}, false
	}
	return o.Versions[i], true
}

// defaultFor is the version that a cluster of that minor version gets unless told; empty where the add-on has none for
// it.
func (o offer) defaultFor(minor int) string {
	for _, v := range o.Versions {
		if v.Default && v.Fits(minor) {
			return v.Version
		}
	}
	return ""
}

// versionsFor are the versions that run in clusters of that minor version.
func (o offer) versionsFor(minor int) []string {
	names := []string{}
	for _, v := range o.Versions {
		if v.Fits(minor) {
			names = append(names, v.Version)
		}
	}
	return names
}

// info is the add-on as DescribeAddonVersions shows it, with those versions alone that run in clusters of the minor
// version; all where it is 0.
func (o offer) info(minor int) types.AddonInfo {
	info := types.AddonInfo{
		AddonName: aws.String(o.Name), Type: aws.String(o.Type), Owner: aws.String(o.Owner),
		Publisher:        aws.String(o.Publisher),
		DefaultNamespace: aws.String(o.Namespace),
	}
	for _, v := range o.Versions {
		if minor != 0 && !v.Fits(minor) {
			continue
		}
		shown := types.AddonVersionInfo{
			AddonVersion: aws.String(v.Version), Architecture: []string{"amd64", "arm64"}, ComputeTypes: o.ComputeTypes,
			RequiresIamPermissions: o.RequiresIAM,
		}
		for m := v.To; m >= v.From; m-- {
			if minor != 0 && m != minor {
				continue
			}
			shown.Compatibilities = append(shown.Compatibilities, types.Compatibility{
				ClusterVersion: aws.String(fmt.Sprintf("1.%d", m)), DefaultVersion: v.Version == o.defaultFor(m),
				PlatformVersions: []string{"*"},
			})
		}
		info.AddonVersions = append(info.AddonVersions, shown)
	}
	return info
}

func (s *Service) describeAddonVersions(call *operation.Call,
	in *eks.DescribeAddonVersionsInput) (*eks.DescribeAddonVersionsOutput, error) {
	if err := call.Authorize(wire.RestJSON, Name+":"+call.Operation, "*"); err != nil {
		return nil, err
	}
	minor := 0
	if in.KubernetesVersion != nil {
		if minor = minorOf(*in.KubernetesVersion); minor <= 0 {
			return nil, about{}.invalidParameter("The kubernetesVersion %s is not a version such as 1.36.",
				quote(*in.KubernetesVersion))
		}
	}
	if in.AddonName != nil {
		if _, found := offerNamed(*in.AddonName); !found {
			return nil, about{addon: *in.AddonName}.notFound("There is no add-on named %s.", quote(*in.AddonName))
		}
	}
	infos := []types.AddonInfo{}
	for _, o := range catalogue() {
		if in.AddonName != nil && o.Name != *in.AddonName || !admits(in.Types, o.Type) || !admits(in.Owners, o.Owner) ||
			!admits(in.Publishers, o.Publisher) {
			continue
		}
		if info := o.info(minor); len(info.AddonVersions) > 0 {
			infos = append(infos, info)
		}
	}
	filters := []string{aws.ToString(in.AddonName), aws.ToString(in.KubernetesVersion), asJSON(in.Types),
		asJSON(in.Owners), asJSON(in.Publishers)}
	out := &eks.DescribeAddonVersionsOutput{}
	var err error
	out.Addons, out.NextToken,
		err = page(paging{call.Operation, filters, in.MaxResults, in.NextToken}, infos,
		func(i types.AddonInfo) string { return *i.AddonName })
	return out, err
}

// admits says whether a filter lets a value through: an empty one does.
func admits(filter []string, value string) bool {
	return len(filter) == 0 || slices.Contains(filter, value)
}

func (s *Service) describeAddonConfiguration(call *operation.Call,
	in *eks.DescribeAddonConfigurationInput) (*eks.DescribeAddonConfigurationOutput, error) {
	if err := call.Authorize(wire.RestJSON, Name+":"+call.Operation, "*"); err != nil {
		return nil, err
	}
	name, version := aws.ToString(in.AddonName), aws.ToString(in.AddonVersion)
	o, found := offerNamed(name)
	if found {
		_, found = o.version(version)
	}
	if !found {
		return nil, about{addon: name}.notFound("There is no add-on %s of the version %s.", quote(name), quote(version))
	}
	out := &eks.DescribeAddonConfigurationOutput{AddonName: in.AddonName, AddonVersion: in.AddonVersion,
		ConfigurationSchema: aws.String(string(o.Schema))}
	for _, identity := range o.PodIdentity {
		out.PodIdentityConfiguration = append(out.PodIdentityConfiguration, types.AddonPodIdentityConfiguration{
			ServiceAccount: aws.String(identity.ServiceAccount), RecommendedManagedPolicies: identity.Policies,
		})
	}
	return out, nil
}
