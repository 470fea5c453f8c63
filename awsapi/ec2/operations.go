package ec2

import (
	_ "embed"
	"net/http"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
)

//go:embed operations.txt
var operationNames string

// operations are all of the API's actions (botocore 1.43's model), whether Tripod has them or not.
var operations = strings.Fields(operationNames)

// Listing is the service as package awsapi lists it.
func (s *Service) Listing() operation.Service {
	return operation.Service{
		Title: "EC2", Name: Name, Protocol: wire.EC2Query, APIs: []operation.API{s.API()}, Documented: documented(),
		Errors: operation.Errors{Internal: "InternalError"},
	}
}

// API is the service as it is called.
func (s *Service) API() *operation.QueryAPI {
	return &operation.QueryAPI{
		Protocol: wire.EC2Query, Name: Name, Version: Version, Namespace: Namespace, Operations: operations,
		Actions: s.actions(), Permit: s.permit,
	}
}

// action answers one permitted call with the members of its answer.
type action = operation.Action

// actions are the operations that Tripod has, by name.
func (s *Service) actions() map[string]action {
	return map[string]action{
		"AllocateAddress":                            typed(s.allocateAddress),
		"AssignPrivateIpAddresses":                   typed(s.assignAddresses),
		"AssociateAddress":                           typed(s.associateAddress),
		"AssociateDhcpOptions":                       typed(s.associateDHCPOptions),
		"AssociateIamInstanceProfile":                typed(s.associateProfile),
		"AssociateRouteTable":                        typed(s.associateRouteTable),
		"AssociateSubnetCidrBlock":                   typed(s.associateSubnetCIDR),
		"AssociateVpcCidrBlock":                      typed(s.associateVPCCIDR),
		"AttachInternetGateway":                      typed(s.attachInternetGateway),
		"AttachNetworkInterface":                     typed(s.attachInterface),
		"AttachVolume":                               typed(s.attachVolume),
		"AuthorizeSecurityGroupEgress":               typed(s.authorizeEgress),
		"AuthorizeSecurityGroupIngress":              typed(s.authorizeIngress),
		"CancelSpotInstanceRequests":                 typed(s.cancelSpotRequests),
		"CopyImage":                                  typed(s.copyImage),
		"CopySnapshot":                               typed(s.copySnapshot),
		"CreateDhcpOptions":                          typed(s.createDHCPOptions),
		"CreateEgressOnlyInternetGateway":            typed(s.createEgressGateway),
		"CreateFleet":                                typed(s.createFleet),
		"CreateFlowLogs":                             typed(s.createFlowLogs),
		"CreateImage":                                typed(s.createImage),
		"CreateInternetGateway":                      typed(s.createInternetGateway),
		"CreateKeyPair":                              typed(s.createKeyPair),
		"CreateLaunchTemplate":                       typed(s.createTemplate),
		"CreateLaunchTemplateVersion":                typed(s.createTemplateVersion),
		"CreateNatGateway":                           typed(s.createNATGateway),
		"CreateNetworkAcl":                           typed(s.createACL),
		"CreateNetworkAclEntry":                      typed(s.createACLEntry),
		"CreateNetworkInterface":                     typed(s.createInterface),
		"CreateRoute":                                typed(s.createRoute),
		"CreateRouteTable":                           typed(s.createRouteTable),
		"CreateSecurityGroup":                        typed(s.createGroup),
		"CreateSnapshot":                             typed(s.createSnapshot),
		"CreateSnapshots":                            typed(s.createSnapshots),
		"CreateSubnet":                               typed(s.createSubnet),
		"CreateTags":                                 typed(s.createTags),
		"CreateVolume":                               typed(s.createVolume),
		"CreateVpc":                                  typed(s.createVPC),
		"CreateVpcEndpoint":                          typed(s.createEndpoint),
		"DeleteDhcpOptions":                          typed(s.deleteDHCPOptions),
		"DeleteEgressOnlyInternetGateway":            typed(s.deleteEgressGateway),
		"DeleteFleets":                               typed(s.deleteFleets),
		"DeleteFlowLogs":                             typed(s.deleteFlowLogs),
		"DeleteInternetGateway":                      typed(s.deleteInternetGateway),
		"DeleteKeyPair":                              typed(s.deleteKeyPair),
		"DeleteLaunchTemplate":                       typed(s.deleteTemplate),
		"DeleteLaunchTemplateVersions":               typed(s.deleteTemplateVersions),
		"DeleteNatGateway":                           typed(s.deleteNATGateway),
		"DeleteNetworkAcl":                           typed(s.deleteACL),
		"DeleteNetworkAclEntry":                      typed(s.deleteACLEntry),
		"DeleteNetworkInterface":                     typed(s.deleteInterface),
		"DeleteRoute":                                typed(s.deleteRoute),
		"DeleteRouteTable":                           typed(s.deleteRouteTable),
		"DeleteSecurityGroup":                        typed(s.deleteGroup),
		"DeleteSnapshot":                             typed(s.deleteSnapshot),
		"DeleteSubnet":                               typed(s.deleteSubnet),
		"DeleteTags":                                 typed(s.deleteTags),
		"DeleteVolume":                               typed(s.deleteVolume),
		"DeleteVpc":                                  typed(s.deleteVPC),
		"DeleteVpcEndpoints":                         typed(s.deleteEndpoints),
		"DeregisterImage":                            typed(s.deregisterImage),
		"DescribeAccountAttributes":                  typed(s.describeAccountAttributes),
		"DescribeAddresses":                          typed(s.describeAddresses),
		"DescribeAddressesAttribute":                 typed(s.describeAddressesAttribute),
		"DescribeAvailabilityZones":                  typed(s.describeZones),
		"DescribeDhcpOptions":                        typed(s.describeDHCPOptions),
		"DescribeEgressOnlyInternetGateways":         typed(s.describeEgressGateways),
		"DescribeFleetInstances":                     typed(s.describeFleetInstances),
		"DescribeFleets":                             typed(s.describeFleets),
		"DescribeFlowLogs":                           typed(s.describeFlowLogs),
		"DescribeIamInstanceProfileAssociations":     typed(s.describeProfileAssociations),
		"DescribeImageAttribute":                     typed(s.describeImageAttribute),
		"DescribeImages":                             typed(s.describeImages),
		"DescribeInstanceAttribute":                  typed(s.describeInstanceAttribute),
		"DescribeInstanceCreditSpecifications":       typed(s.describeCredits),
		"DescribeInstanceStatus":                     typed(s.describeInstanceStatus),
		"DescribeInstanceTopology":                   typed(s.describeInstanceTopology),
		"DescribeInstanceTypeOfferings":              typed(s.describeOfferings),
		"DescribeInstanceTypes":                      typed(s.describeInstanceTypes),
		"DescribeInstances":                          typed(s.describeInstances),
		"DescribeInternetGateways":                   typed(s.describeInternetGateways),
		"DescribeKeyPairs":                           typed(s.describeKeyPairs),
		"DescribeLaunchTemplateVersions":             typed(s.describeTemplateVersions),
		"DescribeLaunchTemplates":                    typed(s.describeTemplates),
		"DescribeNatGateways":                        typed(s.describeNATGateways),
		"DescribeNetworkAcls":                        typed(s.describeACLs),
		"DescribeNetworkInterfaceAttribute":          typed(s.describeInterfaceAttribute),
		"DescribeNetworkInterfaces":                  typed(s.describeInterfaces),
		"DescribePrefixLists":                        typed(s.describePrefixLists),
		"DescribeRegions":                            typed(s.describeRegions),
		"DescribeRouteTables":                        typed(s.describeRouteTables),
		"DescribeSecurityGroupRules":                 typed(s.describeRules),
		"DescribeSecurityGroups":                     typed(s.describeGroups),
		"DescribeSnapshotAttribute":                  typed(s.describeSnapshotAttribute),
		"DescribeSnapshots":                          typed(s.describeSnapshots),
		"DescribeSpotInstanceRequests":               typed(s.describeSpotRequests),
		"DescribeSpotPriceHistory":                   typed(s.spotPrices),
		"DescribeSubnets":                            typed(s.describeSubnets),
		"DescribeTags":                               typed(s.describeTags),
		"DescribeVolumeAttribute":                    typed(s.describeVolumeAttribute),
		"DescribeVolumeStatus":                       typed(s.describeVolumeStatus),
		"DescribeVolumes":                            typed(s.describeVolumes),
		"DescribeVolumesModifications":               typed(s.describeVolumesModifications),
		"DescribeVpcAttribute":                       typed(s.describeVPCAttribute),
		"DescribeVpcEndpointServices":                typed(s.describeEndpointServices),
		"DescribeVpcEndpoints":                       typed(s.describeEndpoints),
		"DescribeVpcs":                               typed(s.describeVPCs),
		"DetachInternetGateway":                      typed(s.detachInternetGateway),
		"DetachNetworkInterface":                     typed(s.detachInterface),
		"DetachVolume":                               typed(s.detachVolume),
		"DisassociateAddress":                        typed(s.disassociateAddress),
		"DisassociateIamInstanceProfile":             typed(s.disassociateProfile),
		"DisassociateRouteTable":                     typed(s.disassociateRouteTable),
		"DisassociateSubnetCidrBlock":                typed(s.disassociateSubnetCIDR),
		"DisassociateVpcCidrBlock":                   typed(s.disassociateVPCCIDR),
		"EnableVolumeIO":                             typed(s.enableVolumeIO),
		"GetConsoleOutput":                           typed(s.consoleOutput),
		"GetInstanceTypesFromInstanceRequirements":   typed(s.typesByRequirements),
		"GetLaunchTemplateData":                      typed(s.launchTemplateData),
		"ImportKeyPair":                              typed(s.importKeyPair),
		"ModifyImageAttribute":                       typed(s.modifyImageAttribute),
		"ModifyInstanceAttribute":                    typed(s.modifyInstanceAttribute),
		"ModifyInstanceCreditSpecification":          typed(s.modifyCredits),
		"ModifyInstanceMetadataOptions":              typed(s.modifyMetadata),
		"ModifyLaunchTemplate":                       typed(s.modifyTemplate),
		"ModifyNetworkInterfaceAttribute":            typed(s.modifyInterfaceAttribute),
		"ModifySecurityGroupRules":                   typed(s.modifyRules),
		"ModifySnapshotAttribute":                    typed(s.modifySnapshotAttribute),
		"ModifySubnetAttribute":                      typed(s.modifySubnetAttribute),
		"ModifyVolume":                               typed(s.modifyVolume),
		"ModifyVolumeAttribute":                      typed(s.modifyVolumeAttribute),
		"ModifyVpcAttribute":                         typed(s.modifyVPCAttribute),
		"ModifyVpcEndpoint":                          typed(s.modifyEndpoint),
		"ModifyVpcTenancy":                           typed(s.modifyTenancy),
		"MonitorInstances":                           typed(s.monitorInstances),
		"RebootInstances":                            typed(s.rebootInstances),
		"RegisterImage":                              typed(s.registerImage),
		"ReleaseAddress":                             typed(s.releaseAddress),
		"ReplaceIamInstanceProfileAssociation":       typed(s.replaceProfile),
		"ReplaceNetworkAclAssociation":               typed(s.replaceACLAssociation),
		"ReplaceNetworkAclEntry":                     typed(s.replaceACLEntry),
		"ReplaceRoute":                               typed(s.replaceRoute),
		"ReplaceRouteTableAssociation":               typed(s.replaceRouteTableAssociation),
		"RequestSpotInstances":                       typed(s.requestSpot),
		"ResetInstanceAttribute":                     typed(s.resetInstanceAttribute),
		"ResetNetworkInterfaceAttribute":             typed(s.resetInterfaceAttribute),
		"ResetSnapshotAttribute":                     typed(s.resetSnapshotAttribute),
		"RevokeSecurityGroupEgress":                  typed(s.revokeEgress),
		"RevokeSecurityGroupIngress":                 typed(s.revokeIngress),
		"RunInstances":                               typed(s.runInstances),
		"StartInstances":                             typed(s.startInstances),
		"StopInstances":                              typed(s.stopInstances),
		"TerminateInstances":                         typed(s.terminateInstances),
		"UnassignPrivateIpAddresses":                 typed(s.unassignAddresses),
		"UnmonitorInstances":                         typed(s.unmonitorInstances),
		"UpdateSecurityGroupRuleDescriptionsEgress":  typed(s.describeEgressAnew),
		"UpdateSecurityGroupRuleDescriptionsIngress": typed(s.describeIngressAnew),
	}
}

// typed makes an action of a function: it fills the input, and answers a dry run before anything is done.
func typed[In, Out any](run func(*operation.Call, *In) (*Out, error)) action {
	return func(call *operation.Call) (any, error) {
		in := new(In)
		if err := wire.DecodeEC2(call.Params, in); err != nil {
			return nil, err
		}
		switch strings.ToLower(call.Params.Get("DryRun")) {
		case "", "false":
		case "true":
			return nil, &wire.Error{Code: "DryRunOperation", Status: http.StatusPreconditionFailed,
				Message: "Request would have succeeded, but DryRun flag is set."}
		default:
			return nil, refuse("InvalidParameterValue", "DryRun must be true or false.")
		}
		return run(call, in)
	}
}
