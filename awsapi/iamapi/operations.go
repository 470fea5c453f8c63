package iamapi

import (
	_ "embed"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
)

//go:embed operations.txt
var operationNames string

// operations are all of the API's actions (botocore 1.43's model), sorted, whether Tripod has them or not.
var operations = strings.Fields(operationNames)

//go:generate go run ../../internal/constraints -query -model $IAM_MODEL -package iamapi -out model_gen.go

// Listing is the service as package awsapi lists it.
func (s *Service) Listing() operation.Service {
	return operation.Service{
		Title: "IAM", Name: Name, Protocol: wire.Query, APIs: []operation.API{s.API()}, Documented: documented(),
		Errors: operation.Errors{Internal: "ServiceFailure"},
	}
}

// API is the service as it is called.
func (s *Service) API() *operation.QueryAPI {
	return &operation.QueryAPI{
		Protocol: wire.Query, Name: Name, Version: Version, Namespace: Namespace, Operations: operations,
		Actions: s.actions(), Permit: permit, Model: inputs(),
	}
}

// action answers one call, which it authorizes first, with the members of its result.
type action = operation.Action

// actions are the operations that Tripod has, by name.
func (s *Service) actions() map[string]action {
	// The operations that roles, users and groups have alike, and those on tags of whatever has them.
	rolePolicies, roleInlines := attachments[roleName]{s, kindRole}, inlines[roleName]{s, kindRole}
	userPolicies, userInlines := attachments[userName]{s, kindUser}, inlines[userName]{s, kindUser}
	groupPolicies, groupInlines := attachments[groupName]{s, kindGroup}, inlines[groupName]{s, kindGroup}
	roleTags, userTags, policyTags, profileTags := tags[roleName]{s}, tags[userName]{s}, tags[policyARN]{s},
		tags[profileName]{s}
	providerTags, mfaTags, samlTags := tags[providerARN]{s}, tags[mfaSerial]{s}, tags[samlARN]{s}
	return map[string]action{
		"AddClientIDToOpenIDConnectProvider":      typed(s, s.addClientID),
		"AddRoleToInstanceProfile":                typed(s, s.addToProfile),
		"AddUserToGroup":                          typed(s, s.addToGroup),
		"AttachGroupPolicy":                       typed(s, groupPolicies.attach),
		"AttachRolePolicy":                        typed(s, rolePolicies.attach),
		"AttachUserPolicy":                        typed(s, userPolicies.attach),
		"ChangePassword":                          typed(s, s.changePassword),
		"CreateAccessKey":                         typed(s, s.createKey),
		"CreateAccountAlias":                      typed(s, s.createAlias),
		"CreateGroup":                             typed(s, s.createGroup),
		"CreateInstanceProfile":                   typed(s, s.createProfile),
		"CreateLoginProfile":                      typed(s, s.createLogin),
		"CreateOpenIDConnectProvider":             typed(s, s.createProvider),
		"CreatePolicy":                            typed(s, s.createPolicy),
		"CreatePolicyVersion":                     typed(s, s.createVersion),
		"CreateRole":                              typed(s, s.createRole),
		"CreateSAMLProvider":                      typed(s, s.createSAML),
		"CreateServiceLinkedRole":                 typed(s, s.createServiceRole),
		"CreateUser":                              typed(s, s.createUser),
		"CreateVirtualMFADevice":                  typed(s, s.createMFA),
		"DeactivateMFADevice":                     typed(s, s.deactivateMFA),
		"DeleteAccessKey":                         typed(s, s.deleteKey),
		"DeleteAccountAlias":                      typed(s, s.deleteAlias),
		"DeleteGroup":                             typed(s, s.deleteGroup),
		"DeleteGroupPolicy":                       typed(s, groupInlines.remove),
		"DeleteInstanceProfile":                   typed(s, s.deleteProfile),
		"DeleteLoginProfile":                      typed(s, s.deleteLogin),
		"DeleteOpenIDConnectProvider":             typed(s, s.deleteProvider),
		"DeletePolicy":                            typed(s, s.deletePolicy),
		"DeletePolicyVersion":                     typed(s, s.deleteVersion),
		"DeleteRole":                              typed(s, s.deleteRole),
		"DeleteRolePermissionsBoundary":           typed(s, rolePolicies.deleteBoundary),
		"DeleteRolePolicy":                        typed(s, roleInlines.remove),
		"DeleteSAMLProvider":                      typed(s, s.deleteSAML),
		"DeleteServiceLinkedRole":                 typed(s, s.deleteServiceRole),
		"DeleteUser":                              typed(s, s.deleteUser),
		"DeleteUserPermissionsBoundary":           typed(s, userPolicies.deleteBoundary),
		"DeleteUserPolicy":                        typed(s, userInlines.remove),
		"DeleteVirtualMFADevice":                  typed(s, s.deleteMFA),
		"DetachGroupPolicy":                       typed(s, groupPolicies.detach),
		"DetachRolePolicy":                        typed(s, rolePolicies.detach),
		"DetachUserPolicy":                        typed(s, userPolicies.detach),
		"EnableMFADevice":                         typed(s, s.enableMFA),
		"GetAccessKeyLastUsed":                    typed(s, s.keyLastUsed),
		"GetAccountSummary":                       typed(s, s.summary),
		"GetContextKeysForCustomPolicy":           typed(s, s.keysOfCustom),
		"GetContextKeysForPrincipalPolicy":        typed(s, s.keysOfPrincipal),
		"GetGroup":                                typed(s, s.getGroup),
		"GetGroupPolicy":                          typed(s, groupInlines.get),
		"GetInstanceProfile":                      typed(s, s.getProfile),
		"GetLoginProfile":                         typed(s, s.getLogin),
		"GetMFADevice":                            typed(s, s.getMFA),
		"GetOpenIDConnectProvider":                typed(s, s.getProvider),
		"GetPolicy":                               typed(s, s.getPolicy),
		"GetPolicyVersion":                        typed(s, s.getVersion),
		"GetRole":                                 typed(s, s.getRole),
		"GetRolePolicy":                           typed(s, roleInlines.get),
		"GetSAMLProvider":                         typed(s, s.getSAML),
		"GetServiceLinkedRoleDeletionStatus":      typed(s, s.serviceRoleDeletion),
		"GetUser":                                 typed(s, s.getUser),
		"GetUserPolicy":                           typed(s, userInlines.get),
		"ListAccessKeys":                          typed(s, s.listKeys),
		"ListAccountAliases":                      typed(s, s.listAliases),
		"ListAttachedGroupPolicies":               typed(s, groupPolicies.list),
		"ListAttachedRolePolicies":                typed(s, rolePolicies.list),
		"ListAttachedUserPolicies":                typed(s, userPolicies.list),
		"ListEntitiesForPolicy":                   typed(s, s.listEntities),
		"ListGroupPolicies":                       typed(s, groupInlines.list),
		"ListGroups":                              typed(s, s.listGroups),
		"ListGroupsForUser":                       typed(s, s.groupsOfUser),
		"ListInstanceProfileTags":                 typed(s, profileTags.list),
		"ListInstanceProfiles":                    typed(s, s.listProfiles),
		"ListInstanceProfilesForRole":             typed(s, s.profilesOfRole),
		"ListMFADeviceTags":                       typed(s, mfaTags.list),
		"ListMFADevices":                          typed(s, s.listMFA),
		"ListOpenIDConnectProviderTags":           typed(s, providerTags.list),
		"ListOpenIDConnectProviders":              typed(s, s.listProviders),
		"ListPolicies":                            typed(s, s.listPolicies),
		"ListPolicyTags":                          typed(s, policyTags.list),
		"ListPolicyVersions":                      typed(s, s.listVersions),
		"ListRolePolicies":                        typed(s, roleInlines.list),
		"ListRoleTags":                            typed(s, roleTags.list),
		"ListRoles":                               typed(s, s.listRoles),
		"ListSAMLProviderTags":                    typed(s, samlTags.list),
		"ListSAMLProviders":                       typed(s, s.listSAML),
		"ListUserPolicies":                        typed(s, userInlines.list),
		"ListUserTags":                            typed(s, userTags.list),
		"ListUsers":                               typed(s, s.listUsers),
		"ListVirtualMFADevices":                   typed(s, s.listVirtualMFA),
		"PutGroupPolicy":                          typed(s, groupInlines.put),
		"PutRolePermissionsBoundary":              typed(s, rolePolicies.putBoundary),
		"PutRolePolicy":                           typed(s, roleInlines.put),
		"PutUserPermissionsBoundary":              typed(s, userPolicies.putBoundary),
		"PutUserPolicy":                           typed(s, userInlines.put),
		"RemoveClientIDFromOpenIDConnectProvider": typed(s, s.removeClientID),
		"RemoveRoleFromInstanceProfile":           typed(s, s.removeFromProfile),
		"RemoveUserFromGroup":                     typed(s, s.removeFromGroup),
		"ResyncMFADevice":                         typed(s, s.resyncMFA),
		"SetDefaultPolicyVersion":                 typed(s, s.setDefaultVersion),
		"SimulateCustomPolicy":                    typed(s, s.simulateCustom),
		"SimulatePrincipalPolicy":                 typed(s, s.simulatePrincipal),
		"TagInstanceProfile":                      typed(s, profileTags.tag),
		"TagMFADevice":                            typed(s, mfaTags.tag),
		"TagOpenIDConnectProvider":                typed(s, providerTags.tag),
		"TagPolicy":                               typed(s, policyTags.tag),
		"TagRole":                                 typed(s, roleTags.tag),
		"TagSAMLProvider":                         typed(s, samlTags.tag),
		"TagUser":                                 typed(s, userTags.tag),
		"UntagInstanceProfile":                    typed(s, profileTags.untag),
		"UntagMFADevice":                          typed(s, mfaTags.untag),
		"UntagOpenIDConnectProvider":              typed(s, providerTags.untag),
		"UntagPolicy":                             typed(s, policyTags.untag),
		"UntagRole":                               typed(s, roleTags.untag),
		"UntagSAMLProvider":                       typed(s, samlTags.untag),
		"UntagUser":                               typed(s, userTags.untag),
		"UpdateAccessKey":                         typed(s, s.updateKey),
		"UpdateAssumeRolePolicy":                  typed(s, s.updateTrust),
		"UpdateGroup":                             typed(s, s.updateGroup),
		"UpdateLoginProfile":                      typed(s, s.updateLogin),
		"UpdateOpenIDConnectProviderThumbprint":   typed(s, s.updateThumbprints),
		"UpdateRole":                              typed(s, s.updateRole),
		"UpdateRoleDescription":                   typed(s, s.updateRoleDescription),
		"UpdateSAMLProvider":                      typed(s, s.updateSAML),
		"UpdateUser":                              typed(s, s.updateUser),
	}
}

// typed makes an action of a function: it fills the input and authorizes the call.
func typed[In, Out any](s *Service, run func(*operation.Call, *In) (Out, error)) action {
	return func(call *operation.Call) (any, error) {
		in := new(In)
		if err := wire.DecodeQuery(call.Params, in); err != nil {
			return nil, err
		}
		resource, keys := "*", iam.Keys(nil)
		if about, ok := any(in).(userSubject); ok {
			var err error
			if resource, keys, err = s.knownUser(call, about); err != nil {
				return nil, err
			}
		} else if about, ok := any(in).(subject); ok {
			var err error
			if resource, keys, err = s.known(about.subject(call)); err != nil {
				return nil, err
			}
		}
		if err := call.Authorize(wire.Query, "iam:"+call.Operation, resource, keys, requestKeys(call)); err != nil {
			return nil, err
		}
		return run(call, in)
	}
}
