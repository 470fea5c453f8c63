package iamapi

import (
	"encoding/xml"

	"tripod/awsapi/operation"
	"tripod/awsapi/quota"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

type summaryResult struct{ SummaryMap summary }

// summary is a map of the query protocol: elements named entry with key and value.
type summary map[string]int

// MarshalXML writes the map; encoding/xml has no form for maps.
func (m summary) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	type entry struct {
		Key   string `xml:"key"`
		Value int    `xml:"value"`
	}
	var entries []entry
	for key, value := range m {
		entries = append(entries, entry{key, value})
	}
	return e.EncodeElement(struct {
		Entries []entry `xml:"entry"`
	}{entries}, start)
}

// summary counts what the account has, and tells the quotas that hold here.
func (s *Service) summary(call *operation.Call, _ *struct{}) (*summaryResult, error) {
	return view(s, call, func(tx *state.Txn) (*summaryResult, error) {
		policies, versions, rootKeys := region.Policies.List(tx), 0, 0
		if !(owner{root: true}).keys().Empty(tx) {
			rootKeys = 1 // IAM says whether there are any, not how many
		}
		for _, p := range policies {
			versions += len(p.Versions)
		}
		devices, inUse := iam.MFADevices.List(tx), 0
		for _, d := range devices {
			if d.UserID != "" {
				inUse++
			}
		}
		return &summaryResult{summary{
			"Users": region.Users.Part("").Count(tx), "Groups": region.Groups.Part("").Count(tx),
			"Roles":            region.Roles.Part("").Count(tx),
			"InstanceProfiles": region.InstanceProfiles.Part("").Count(tx),
			"Providers":        region.OIDCProviders.Part("").Count(tx) + samlProviders.Part("").Count(tx),
			"Policies":         len(policies), "PolicyVersionsInUse": versions,
			"UsersQuota": s.Quotas.Of(quota.Users), "GroupsQuota": s.Quotas.Of(quota.Groups),
			"RolesQuota":            s.Quotas.Of(quota.Roles),
			"InstanceProfilesQuota": s.Quotas.Of(quota.InstanceProfiles), "PoliciesQuota": s.Quotas.Of(quota.Policies),
			"AccessKeysPerUserQuota": maxKeys, "GroupsPerUserQuota": maxGroups, "VersionsPerPolicyQuota": maxVersions,
			"PolicySizeQuota":           maxPolicySize,
			"AssumeRolePolicySizeQuota": maxTrustSize, "AttachedPoliciesPerUserQuota": maxManagedOfOne,
			"AttachedPoliciesPerRoleQuota":  maxManagedOfOne,
			"AttachedPoliciesPerGroupQuota": maxManagedOfOne, "AccountAccessKeysPresent": rootKeys, "AccountMFAEnabled": 0,
			"MFADevices": len(devices), "MFADevicesInUse": inUse,
			// What IAM tells beside: of things that there are none of, and of quotas that are AWS's.
			"AccountPasswordPresent": 0, "AccountSigningCertificatesPresent": 0, "SigningCertificatesPerUserQuota": 2,
			"ServerCertificates": 0, "ServerCertificatesQuota": 20, "PolicyVersionsInUseQuota": 10000,
			"GlobalEndpointTokenVersion": 1,
			"UserPolicySizeQuota":        maxUserInline, "GroupPolicySizeQuota": maxGroupInline,
			"RolePolicySizeQuota": maxRoleInline,
		}}, nil
	})
}
