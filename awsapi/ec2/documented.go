package ec2

import (
	"maps"
	"slices"

	"tripod/awsapi/operation"
)

// documented are the lines of docs/operations.md: the operations that Tripod has.
func documented() []operation.Documented {
	return operation.DocumentBy(slices.Sorted(maps.Keys((&Service{}).actions())), []operation.Clause{
		{Words: []string{"Tags"}, State: operation.Works, Effect: "tags of whatever is here"},
		{Words: []string{"InstanceTopology"}, State: operation.Works,
			Effect: "empty, as on AWS for types outside its networks for accelerators"},
		{Words: []string{"CreateFleet"}, State: operation.Works,
			Effect: "launches once; a fleet of the type maintain does not replace what it loses"},
		{Words: []string{"Fleet"}, State: operation.Works, Effect: "fleets that CreateFleet made"},
		{Words: []string{"SpotInstanceRequest", "RequestSpotInstances"}, State: operation.Works,
			Effect: "launches at once, whatever the price; a request that there is no capacity for stays open"},
		{Words: []string{"ConsoleOutput"}, State: operation.Works, Effect: "what the instance's boot said"},
		{Words: []string{"MonitorInstances", "UnmonitorInstances", "Credit"}, State: operation.Recorded,
			Effect: "kept; nothing measures, and no instance is slower for it"},
		{Words: []string{"IamInstanceProfile"}, State: operation.Works, Effect: "the role that the instance's kubelet signs in by"},
		{Words: []string{"InstanceMetadataOptions"}, State: operation.Recorded, Effect: "kept, and shown by the instance"},
		{Words: []string{"InstanceStatus"}, State: operation.Works,
			Effect: "checks are under way at first, pass, and are failed where the zone answers nobody"},
		{Words: []string{"InstanceAttribute"}, State: operation.Works,
			Effect: "type and user data count at the next start, protection from termination and stop at once; the rest is kept"},
		{Words: []string{"RunInstances", "StartInstances", "StopInstances", "RebootInstances", "TerminateInstances",
			"DescribeInstances"}, State: operation.Works,
			Effect: "instances are records with a life; the zone's agent boots them, and those whose user data says so become nodes"},
		{Words: []string{"VolumeAttribute", "EnableVolumeIO"}, State: operation.Recorded,
			Effect: "kept; nothing here damages a volume's data"},
		{Words: []string{"ModifyVolume", "VolumesModifications"}, State: operation.Works,
			Effect: "done as soon as it has begun, four times in 24 hours; nothing measures what a volume performs"},
		{Words: []string{"Volume"}, State: operation.Works,
			Effect: "a volume is a directory in its zone's data, made, deleted and attached by the zone's agent; those that " +
				"instances were launched with are records"},
		{Words: []string{"DescribeImages"}, State: operation.Works, Effect: "Amazon's images for EKS, and the account's own"},
		{Words: []string{"Image"}, State: operation.Recorded,
			Effect: "kept; what boots of one is what boots of the image of Amazon's that it comes from"},
		{Words: []string{"SnapshotAttribute"}, State: operation.Recorded, Effect: "kept; there is one account"},
		{Words: []string{"Snapshot"}, State: operation.Works,
			Effect: "what the volume's directory holds is copied by the agent of its zone, and completes the snapshot"},
		{Words: []string{"KeyPair"}, State: operation.Recorded,
			Effect: "kept; node groups may name them, and nothing lets anybody in by SSH"},
		{Words: []string{"InstanceTypesFromInstanceRequirements"}, State: operation.Works,
			Effect: "all requirements count but those that compare prices"},
		{Words: []string{"InstanceType"}, State: operation.Works,
			Effect: "AWS's own types as of May 2026, but Apple's; all are to be had in each zone"},
		{Words: []string{"SpotPriceHistory"}, State: operation.Works,
			Effect: "constant prices that Tripod made up: a quarter to a half of those on demand, a little other in each zone"},
		{Words: []string{"DescribeNetworkInterfaces"}, State: operation.Works,
			Effect: "the interfaces of nodes with the addresses that pods have, calls' own, and those of AWS's services"},
		{Words: []string{"NetworkInterface", "PrivateIpAddresses"}, State: operation.Works,
			Effect: "takes and gives back addresses of the subnet; nodes' pods get theirs of their node's interfaces"},
		{Words: []string{"AvailabilityZones", "Regions", "AccountAttributes"}, State: operation.Works,
			Effect: "the region's own"},
		{Words: []string{"DhcpOptions"}, State: operation.Recorded, Effect: "kept; nothing asks for an address"},
		{Words: []string{"NetworkAcl"}, State: operation.Works, Effect: "held against connections that leave or come to a subnet"},
		{Words: []string{"FlowLogs"}, State: operation.Recorded, Effect: "kept; nothing is written down"},
		{Words: []string{"SecurityGroup"}, State: operation.Works,
			Effect: "held against connections to nodes, pods and load balancers, and checked by CreateCluster"},
		{Words: []string{"Route"}, State: operation.Works,
			Effect: "held against connections, and says which subnets are private"},
		{Words: []string{"InternetGateway", "NatGateway", "Address"}, State: operation.Recorded,
			Effect: "kept; routes lead by it, no packet passes through"},
		{Words: []string{"GetLaunchTemplateData"}, State: operation.Works, Effect: "what the instance was launched with"},
		{Words: []string{"LaunchTemplate"}, State: operation.Recorded,
			Effect: "kept with its versions; instances, fleets and groups are launched by it"},
		{Words: []string{"Endpoint", "PrefixLists"}, State: operation.Recorded,
			Effect: "gateway and interface endpoints are kept and shown, with their routes and interfaces; nothing is " +
				"reached by them"},
		{Words: []string{"Vpc", "Subnet"}, State: operation.Works,
			Effect: "CreateCluster checks it; the default network cannot be deleted"},
	})
}
