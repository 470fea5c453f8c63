# Self-managed Auto Scaling groups, by a launch template, mixed, and by a launch configuration.
data "aws_ami" "nodes" {
  most_recent = true
  owners      = ["amazon"]
  filter {
    name   = "architecture"
    values = ["x86_64"]
  }
}
resource "aws_launch_template" "web" {
  name          = "${local.name}-web"
  image_id      = data.aws_ami.nodes.id
  instance_type = "m5.large"
  tag_specifications {
    resource_type = "instance"
    tags          = { Name = "web" }
  }
}
resource "aws_autoscaling_group" "web" {
  name                    = "${local.name}-web"
  min_size                = 0
  max_size                = 4
  desired_capacity        = var.extra == "one" ? 1 : 2
  vpc_zone_identifier     = data.aws_subnets.default.ids
  default_cooldown        = 60
  default_instance_warmup = 10
  max_instance_lifetime   = 604800
  capacity_rebalance      = true
  termination_policies    = ["OldestLaunchTemplate", "OldestInstance"]
  suspended_processes     = ["AlarmNotification"]
  enabled_metrics         = ["GroupMinSize", "GroupTotalInstances"]
  launch_template {
    id      = aws_launch_template.web.id
    version = aws_launch_template.web.latest_version
  }
  instance_maintenance_policy {
    min_healthy_percentage = 90
    max_healthy_percentage = 120
  }
  availability_zone_distribution { capacity_distribution_strategy = "balanced-only" }
  tag {
    key                 = "k8s.io/cluster-autoscaler/enabled"
    value               = "true"
    propagate_at_launch = true
  }
}
resource "aws_autoscaling_group" "mixed" {
  name_prefix        = "${local.name}-mixed-"
  min_size           = 0
  max_size           = 4
  desired_capacity   = 0
  availability_zones = ["us-east-1a", "us-east-1b"]
  mixed_instances_policy {
    instances_distribution {
      on_demand_base_capacity                  = 1
      on_demand_percentage_above_base_capacity = 25
      spot_allocation_strategy                 = "price-capacity-optimized"
    }
    launch_template {
      launch_template_specification {
        launch_template_id = aws_launch_template.web.id
        version            = "$Latest"
      }
      override {
        instance_requirements {
          memory_mib { min = 8192 }
          vcpu_count {
            min = 2
            max = 4
          }
          cpu_manufacturers = ["intel"]
        }
      }
    }
  }
}
resource "aws_launch_configuration" "old" {
  name_prefix   = "${local.name}-"
  image_id      = data.aws_ami.nodes.id
  instance_type = "t3.medium"
  user_data     = "#!/bin/sh\necho hi\n"
  root_block_device { volume_size = 20 }
}
resource "aws_autoscaling_group" "old" {
  name                 = "${local.name}-old"
  min_size             = 0
  max_size             = 1
  launch_configuration = aws_launch_configuration.old.name
  availability_zones   = ["us-east-1c"]
  warm_pool { pool_state = "Stopped" }
}
resource "aws_autoscaling_lifecycle_hook" "end" {
  name                   = "end"
  autoscaling_group_name = aws_autoscaling_group.old.name
  default_result         = "CONTINUE"
  heartbeat_timeout      = 60
  lifecycle_transition   = "autoscaling:EC2_INSTANCE_TERMINATING"
}
resource "aws_autoscaling_policy" "cpu" {
  name                   = "cpu"
  autoscaling_group_name = aws_autoscaling_group.web.name
  policy_type            = "TargetTrackingScaling"
  target_tracking_configuration {
    predefined_metric_specification { predefined_metric_type = "ASGAverageCPUUtilization" }
    target_value = 40.5
  }
}
resource "aws_autoscaling_policy" "steps" {
  name                   = "steps"
  autoscaling_group_name = aws_autoscaling_group.web.name
  policy_type            = "StepScaling"
  adjustment_type        = "PercentChangeInCapacity"
  step_adjustment {
    scaling_adjustment          = 20
    metric_interval_lower_bound = 0
  }
}
resource "aws_autoscaling_schedule" "night" {
  scheduled_action_name  = "night"
  min_size               = 0
  max_size               = 4
  desired_capacity       = 0
  recurrence             = "0 22 1 1 *"
  time_zone              = "Europe/Berlin"
  autoscaling_group_name = aws_autoscaling_group.web.name
}
resource "aws_autoscaling_notification" "web" {
  group_names   = [aws_autoscaling_group.web.name]
  notifications = ["autoscaling:EC2_INSTANCE_LAUNCH"]
  topic_arn     = "arn:aws:sns:us-east-1:111122223333:topic"
}
